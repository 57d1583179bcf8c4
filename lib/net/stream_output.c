/* SPDX-License-Identifier: ISC */
#include "lib/net/stream_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/net/stream_pool.h"
#include "lib/task/task.h"

static enum io
stick(struct stream *s, enum io result)
{
	if (result != IO_OK)
		s->write_status = result;
	return result;
}

static enum io
write_failed(struct stream *s)
{
	if (s->error == ECONNRESET || s->error == EPIPE)
		s->text = "lost connection";
	return stick(s, IO_ERROR);
}

/*
 * All n bytes, each part of the size of a buffer in the time of one write:
 * who takes much slowly is not cut, nor does a trickle hold us.
 */
static enum io
send_all(struct stream *s, const char *p, size_t n)
{
	/* a socket takes what it can, TLS and compression a buffer at a time */
	size_t most = s->tls_layer == NULL && s->deflate == NULL ?
	    SIZE_MAX :
	    STREAM_BUFFER_SIZE;
	int64_t deadline = stream_until(s);
	unsigned int need = WAIT_WRITE;
	size_t taken = 0;
	enum io result;

	while (n > 0 || stream_deflate_unsent(s)) {
		size_t part = n < most ? n : most;
		ssize_t sent = stream_raw_write(s, p, part, &need);

		if (sent > 0 || (sent == 0 && n == 0)) {
			p += sent;
			n -= (size_t)sent;
			taken += (size_t)sent;
			if (taken >= STREAM_BUFFER_SIZE) {
				taken = 0;
				deadline = stream_until(s);
			}
			continue;
		}
		if (sent < 0 && errno != EAGAIN)
			return write_failed(s);
		result = stream_wait(s, need, deadline);
		if (result != IO_OK)
			return stick(s, result);
	}
	return IO_OK;
}

enum io
stream_flush(struct stream *s)
{
	enum io result;

	if (s->write_status != IO_OK ||
	    (s->out_used == 0 && !stream_deflate_unsent(s)))
		return s->write_status;
	result = send_all(s, s->out, s->out_used);
	s->out_used = 0;
	stream_pool_put(&s->out);
	return result;
}

bool
stream_offer(struct stream *s)
{
	unsigned int need = WAIT_WRITE;
	ssize_t sent = 0;
	size_t done = 0;

	if (s->write_status != IO_OK)
		return false;
	while (done < s->out_used || stream_deflate_unsent(s)) {
		sent = stream_raw_write(s, s->out + done, s->out_used - done,
		    &need);
		if (sent < 0)
			break;
		done += (size_t)sent;
	}
	if (sent < 0 && errno != EAGAIN)
		(void)write_failed(s);
	s->out_used -= done;
	if (s->out_used == 0)
		stream_pool_put(&s->out);
	else if (done > 0)
		memmove(s->out, s->out + done, s->out_used);
	return sent >= 0;
}

enum io
stream_finish(struct stream *s)
{
	s->last = true;
	return stream_flush(s);
}

enum io
stream_write(struct stream *s, const void *data, size_t n)
{
	const char *p = data;
	enum io result = s->write_status;

	while (n > 0 && result == IO_OK) {
		size_t part = STREAM_BUFFER_SIZE - s->out_used;

		if (s->out_used == 0 && n >= STREAM_BUFFER_SIZE) {
			part = n; /* without a copy */
			result = send_all(s, p, part);
		} else {
			if (part > n)
				part = n;
			if (s->out == NULL)
				s->out = stream_pool_get();
			memcpy(s->out + s->out_used, p, part);
			s->out_used += part;
			if (s->out_used == STREAM_BUFFER_SIZE)
				result = stream_flush(s);
		}
		p += part;
		n -= part;
	}
	return result;
}

enum io
stream_text(struct stream *s, const char *text)
{
	return stream_write(s, text, strlen(text));
}

enum io
stream_printf(struct stream *s, const char *format, ...)
{
	char room[2048];
	char *text = room;
	enum io result;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(room, sizeof(room), format, ap);
	va_end(ap);
	ensure(n >= 0);
	if ((size_t)n >= sizeof(room)) {
		text = mem_new((size_t)n + 1);
		va_start(ap, format);
		vsnprintf(text, (size_t)n + 1, format, ap);
		va_end(ap);
	}
	result = stream_write(s, text, (size_t)n);
	if (text != room)
		free(text);
	return result;
}

static enum io
file_failed(struct stream *s, int error)
{
	s->error = errno = error;
	s->text = NULL;
	return stick(s, IO_ERROR);
}

/* A part of the file through a buffer: for TLS, and what is no socket. */
static enum io
copy_part(struct stream *s, int fd, int64_t *offset, size_t *n)
{
	char *buffer = stream_pool_get();
	size_t part = *n < STREAM_BUFFER_SIZE ? *n : STREAM_BUFFER_SIZE;
	ssize_t got = pread(fd, buffer, part, (off_t)*offset);
	enum io result;

	if (got > 0) {
		*offset += got;
		*n -= (size_t)got;
		result = send_all(s, buffer, (size_t)got);
	} else {
		result = file_failed(s, got < 0 ? errno : EIO);
	}
	stream_pool_put(&buffer);
	return result;
}

/* The same by sendfile(2); *copy is set where that cannot be. */
static enum io
sendfile_part(struct stream *s, int fd, int64_t *offset, size_t *n, bool *copy)
{
	off_t at = (off_t)*offset;
	ssize_t sent =
	    sendfile(s->fd, fd, &at, *n < (1 << 20) ? *n : (1 << 20));

	if (sent > 0) {
		*offset += sent;
		*n -= (size_t)sent;
		s->sent += (uint64_t)sent;
		return IO_OK;
	}
	if (sent == 0)
		return file_failed(s, EIO); /* shorter than was said */
	if (errno == EAGAIN)
		return stick(s, stream_wait(s, WAIT_WRITE, stream_until(s)));
	if (errno == EINTR)
		return IO_OK;
	if (errno == EINVAL || errno == ENOSYS) {
		*copy = true;
		return IO_OK;
	}
	return file_failed(s, errno);
}

enum io
stream_send_file(struct stream *s, int fd, int64_t offset, size_t n)
{
	bool copy = s->tls_layer != NULL || s->deflate != NULL;
	enum io result = stream_flush(s);

	/* sendfile(2) has no MSG_DONTWAIT */
	if (!copy && fd_nonblocking(s->fd, true) != 0)
		return file_failed(s, errno);
	while (n > 0 && result == IO_OK)
		result = copy ? copy_part(s, fd, &offset, &n) :
				sendfile_part(s, fd, &offset, &n, &copy);
	return result;
}
