/* SPDX-License-Identifier: ISC */
#include "lib/service/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

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

/*
 * The sandbox forbids much on a listener's number, for ever: no socket of a
 * session may get it.
 */
static void
hold_number(int number)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0 || dup3(fd, number, O_CLOEXEC) < 0)
		close(number);
	if (fd != number)
		fd_close(&fd);
}

void
listener_close(struct running *r, size_t index)
{
	int fd = r->listeners[index];

	r->listeners[index] = -1;
	if (fd < 0)
		return;
	/* others have it open: the loop would be told of each of its clients */
	wait_release(fd);
	hold_number(fd);
}

void
listeners_close(struct running *r)
{
	for (size_t i = 0; i < r->listener_count; i++)
		listener_close(r, i);
}
