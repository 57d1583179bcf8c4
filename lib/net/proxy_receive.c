/* SPDX-License-Identifier: ISC */
#include "lib/net/proxy_header.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/buf.h"
#include "lib/task/task.h"

/*
 * What has come is looked at, and then taken as far as it is the header's: all
 * of it as long as the header goes on.
 */
static const char *
receive(int fd, int64_t deadline, struct buf *got, struct proxy_header *out)
{
	enum proxy_header_result r = PROXY_HEADER_MORE;
	char piece[512];
	const char *why = NULL;
	size_t before;
	ssize_t n;

	while (r == PROXY_HEADER_MORE) {
		n = recv(fd, piece, sizeof(piece), MSG_PEEK | MSG_DONTWAIT);
		if (n == 0)
			return "EOF";
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return strerror(errno);
		if (n < 0) {
			if (wait_fd(fd, WAIT_READ, deadline) != WAIT_READY)
				return "timeout error";
			continue;
		}
		before = got->n;
		buf_add(got, piece, (size_t)n);
		r = proxy_header_parse(buf_span(got), out, &why);
		if (r == PROXY_HEADER_OK)
			n = (ssize_t)(out->length - before);
		/* what is bad as well: an answer outlives an orderly end */
		if (recv(fd, piece, (size_t)n, MSG_DONTWAIT) != n)
			return "bytes that were there are gone";
	}
	return why;
}

const char *
proxy_header_receive(int fd, int64_t deadline, struct proxy_header *out)
{
	struct buf got = BUF_INIT(PROXY_HEADER_MOST + 512);
	const char *why = receive(fd, deadline, &got, out);

	buf_fini(&got);
	return why;
}
