/* SPDX-License-Identifier: ISC */
#include "lib/net/stream_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/task/task.h"

ssize_t
stream_plain_read(struct stream *s, void *to, size_t n)
{
	ssize_t got;

	do {
		got = s->not_socket ? read(s->fd, to, n) :
				      recv(s->fd, to, n, MSG_DONTWAIT);
		if (got < 0 && errno == ENOTSOCK &&
		    fd_nonblocking(s->fd, true) == 0) {
			s->not_socket = true;
			errno = EINTR;
		}
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		s->received += (uint64_t)got;
	return got;
}

ssize_t
stream_plain_write(struct stream *s, const void *from, size_t n)
{
	ssize_t sent;

	do {
		sent = s->not_socket ?
		    write(s->fd, from, n) :
		    send(s->fd, from, n,
			MSG_DONTWAIT | MSG_NOSIGNAL |
			    (s->last && s->tls_layer == NULL ? MSG_MORE : 0));
		if (sent < 0 && errno == ENOTSOCK &&
		    fd_nonblocking(s->fd, true) == 0) {
			s->not_socket = true;
			errno = EINTR;
		}
	} while (sent < 0 && errno == EINTR);
	if (sent > 0)
		s->sent += (uint64_t)sent;
	return sent;
}

void
stream_raw_failed(struct stream *s, int error, const char *text)
{
	s->error = error;
	s->text = text;
	s->broken = true;
	errno = error;
}

ssize_t
stream_lower_read(struct stream *s, void *to, size_t n, unsigned int *need)
{
	ssize_t got;

	*need = WAIT_READ;
	if (s->tls_layer != NULL)
		return s->tls_layer->read(s, to, n, need);
	got = stream_plain_read(s, to, n);
	if (got < 0 && errno != EAGAIN)
		stream_raw_failed(s, errno, NULL);
	return got;
}

ssize_t
stream_lower_write(struct stream *s, const void *from, size_t n,
    unsigned int *need)
{
	ssize_t sent;

	*need = WAIT_WRITE;
	if (s->tls_layer != NULL)
		return s->tls_layer->write(s, from, n, need);
	sent = stream_plain_write(s, from, n);
	if (sent < 0 && errno != EAGAIN)
		stream_raw_failed(s, errno, NULL);
	return sent;
}

ssize_t
stream_raw_read(struct stream *s, void *to, size_t n, unsigned int *need)
{
	return s->deflate != NULL ? stream_deflate_read(s, to, n, need) :
				    stream_lower_read(s, to, n, need);
}

ssize_t
stream_raw_write(struct stream *s, const void *from, size_t n,
    unsigned int *need)
{
	return s->deflate != NULL ? stream_deflate_write(s, from, n, need) :
				    stream_lower_write(s, from, n, need);
}

bool
stream_raw_pending(const struct stream *s)
{
	return stream_deflate_pending(s) ||
	    (s->tls_layer != NULL && s->tls_layer->has_pending(s));
}

void
stream_raw_close(struct stream *s)
{
	stream_deflate_free(s);
	if (s->tls_layer != NULL)
		s->tls_layer->close(s);
	s->tls_layer = NULL;
}
