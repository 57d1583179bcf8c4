/* SPDX-License-Identifier: ISC */
#include "lib/service/internal.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

/* Errors that belong to the one connection that is no more. */
static bool
passing(int error)
{
	return error == EAGAIN || error == EINTR || error == ECONNABORTED ||
	    error == EPROTO || error == ENETDOWN || error == EHOSTDOWN ||
	    error == EHOSTUNREACH || error == ENETUNREACH ||
	    error == ENOPROTOOPT;
}

int
listener_accept(struct running *r, size_t index)
{
	int fd = accept4(r->listeners[index], NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 || passing(errno))
		return fd;
	log_warning("accept: %m");
	(void)wait_until(clock_ms() + 1000);
	return -1;
}

void
listeners_close(struct running *r)
{
	for (size_t i = 0; i < r->listener_count; i++) {
		if (r->listeners[i] >= 0)
			wait_forget(r->listeners[i]);
		fd_close(&r->listeners[i]);
	}
}
