/* SPDX-License-Identifier: ISC */
#include "lib/net/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/task/task.h"

enum { RETRY_MS = 20 }; /* a UNIX listener whose queue is full */

static int
wait_connected(int fd, int64_t deadline)
{
	int error = 0;
	socklen_t size = sizeof(error);

	switch (wait_fd(fd, WAIT_WRITE, deadline)) {
	case WAIT_TIMEOUT:
		errno = ETIMEDOUT;
		return -1;
	case WAIT_CANCELLED:
		errno = ECANCELED;
		return -1;
	case WAIT_READY:
		break;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

/* connect(2) on a UNIX socket says EAGAIN where a TCP one would wait. */
static int
pause_for_room(int64_t deadline)
{
	int64_t until = clock_ms() + RETRY_MS;

	if (until > deadline) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (wait_until(until) == WAIT_CANCELLED) {
		errno = ECANCELED;
		return -1;
	}
	return 0;
}

static int
establish(int fd, const struct address *to, int64_t deadline)
{
	for (;;) {
		if (connect(fd, &to->any, to->length) == 0)
			return 0;
		if (errno == EINPROGRESS || errno == EINTR)
			return wait_connected(fd, deadline);
		if (errno != EAGAIN || to->any.sa_family != AF_UNIX ||
		    pause_for_room(deadline) != 0)
			return -1;
	}
}

int
connect_address(const struct address *to, const struct address *from,
    int64_t deadline)
{
	int one = 1;
	int fd;

	fd = socket(to->any.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (from != NULL && bind(fd, &from->any, from->length) != 0)
		goto failed;
	/* streams gather writes themselves; Nagle would only delay the last */
	if (address_is_ip(to))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
	if (establish(fd, to, deadline) == 0)
		return fd;
failed:
	wait_forget(fd);
	fd_close(&fd);
	return -1;
}

int
connect_unix(const char *path, int64_t deadline)
{
	struct address to = { 0 };
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(to.un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	to.un.sun_family = AF_UNIX;
	memcpy(to.un.sun_path, path, n + 1);
	to.length = sizeof(to.un);
	return connect_address(&to, NULL, deadline);
}
