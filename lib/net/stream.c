/* SPDX-License-Identifier: ISC */
#include "lib/net/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/net/stream_internal.h"
#include "lib/net/stream_pool.h"
#include "lib/task/task.h"

enum {
	DEFAULT_TIMEOUT_MS = 300000,
	PARK_MOST =
	    4096, /* a waiting stream with no more gives its buffer up */
	READS_IN_A_ROW = 16, /* then other tasks have a turn */
};

struct stream *
stream_new(int fd)
{
	struct stream *s = mem_new(sizeof(*s));

	ensure(fd >= 0);
	s->fd = fd;
	s->timeout = DEFAULT_TIMEOUT_MS;
	return s;
}

static void
give_up_buffers(struct stream *s)
{
	stream_pool_put(&s->in);
	stream_pool_put(&s->out);
	free(s->parked);
	s->parked = NULL;
}

void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	stream_raw_close(s);
	wait_forget(s->fd);
	fd_close(&s->fd);
	give_up_buffers(s);
	free(s);
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}

int
stream_release(struct stream **sp)
{
	struct stream *s = *sp;
	int fd = s->fd;

	ensure(s->tls == NULL);
	*sp = NULL;
	stream_deflate_free(s);
	wait_release(fd);
	give_up_buffers(s);
	free(s);
	return fd;
}

void
stream_timeout(struct stream *s, int64_t ms)
{
	s->timeout = ms;
}

void
stream_deadline(struct stream *s, int64_t deadline)
{
	s->limit = deadline;
}

int64_t
stream_until(const struct stream *s)
{
	int64_t deadline = clock_ms() + s->timeout;

	return s->limit != 0 && s->limit < deadline ? s->limit : deadline;
}

enum io
stream_wait(struct stream *s, unsigned int events, int64_t deadline)
{
	s->reads = 0;
	switch (wait_fd(s->fd, events, deadline)) {
	case WAIT_READY:
		return IO_OK;
	case WAIT_CANCELLED:
		s->error = errno = ECANCELED;
		s->text = "session cancelled";
		return IO_CANCELLED;
	case WAIT_TIMEOUT:
		break;
	}
	s->error = errno = ETIMEDOUT;
	s->text = "timeout";
	return IO_TIMEOUT;
}

/* Input. */

static size_t
unread(const struct stream *s)
{
	return s->in_end - s->in_start;
}

static const char *
unread_bytes(const struct stream *s)
{
	const char *bytes = s->in != NULL ? s->in : s->parked;

	return bytes == NULL ? NULL : bytes + s->in_start;
}

/* Before a wait: a small rest moves to the heap, the buffer to the pool. */
static void
park(struct stream *s)
{
	size_t n = unread(s);

	if (s->in == NULL || n > PARK_MOST)
		return;
	if (n > 0) {
		s->parked = mem_resize(NULL, n);
		memcpy(s->parked, s->in + s->in_start, n);
	}
	stream_pool_put(&s->in);
	s->scanned -= s->scanned < s->in_start ? s->scanned : s->in_start;
	s->in_start = 0;
	s->in_end = n;
}

/* A whole buffer, with what was parked at its start. */
static void
unpark(struct stream *s)
{
	if (s->in != NULL)
		return;
	s->in = stream_pool_get();
	if (s->parked != NULL) {
		memcpy(s->in, s->parked, s->in_end);
		free(s->parked);
		s->parked = NULL;
	}
}

/* Moves what is unread to the start, so that there is room behind it. */
static void
make_room(struct stream *s)
{
	unpark(s);
	if (s->in_start == 0)
		return;
	s->scanned -= s->scanned < s->in_start ? s->scanned : s->in_start;
	memmove(s->in, s->in + s->in_start, unread(s));
	s->in_end -= s->in_start;
	s->in_start = 0;
}

static enum io
read_outcome(struct stream *s, ssize_t got)
{
	if (got > 0)
		return IO_OK;
	if (got == 0) {
		s->at_end = true;
		s->error = errno = 0;
		s->text = "lost connection";
		return IO_EOF;
	}
	/* a peer that resets has gone, whatever it left undone */
	if (s->error == ECONNRESET || s->error == EPIPE)
		s->text = "lost connection";
	return IO_ERROR;
}

/* One turn for the others when a fast peer never lets us wait. */
static enum io
be_fair(struct stream *s)
{
	if (++s->reads < READS_IN_A_ROW)
		return IO_OK;
	s->reads = 0;
	if (wait_yield() == WAIT_CANCELLED) {
		s->error = errno = ECANCELED;
		s->text = "session cancelled";
		return IO_CANCELLED;
	}
	return IO_OK;
}

/*
 * Reads at least one byte into "to", waiting if there is none; before it
 * waits, what was written is sent.
 */
static enum io
receive(struct stream *s, char *to, size_t room, int64_t deadline, size_t *got)
{
	unsigned int need = WAIT_READ;
	enum io result;
	ssize_t n;

	for (;;) {
		n = stream_raw_read(s, to, room, &need);
		if (n >= 0 || errno != EAGAIN)
			break;
		s->more_likely = false;
		if (s->out_used > 0 && (result = stream_flush(s)) != IO_OK)
			return result;
		if ((result = stream_wait(s, need, deadline)) != IO_OK)
			return result;
	}
	if (n > 0) {
		s->more_likely = (size_t)n == room;
		*got = (size_t)n;
	}
	return read_outcome(s, n);
}

/* More bytes behind those that are unread. There must be room. */
static enum io
fill(struct stream *s, int64_t deadline)
{
	enum io result;
	size_t got = 0;

	if (s->at_end)
		return IO_EOF;
	if ((result = be_fair(s)) != IO_OK)
		return result;
	/*
	 * In a dialogue the peer's next line comes after our answer, so we
	 * send and wait at once, without a read(2) that finds nothing.
	 */
	if (!s->more_likely && !stream_raw_pending(s)) {
		if (s->out_used > 0 && (result = stream_flush(s)) != IO_OK)
			return result;
		park(s);
		result = stream_wait(s, WAIT_READ, deadline);
		if (result != IO_OK)
			return result;
	}
	make_room(s);
	result = receive(s, s->in + s->in_end, STREAM_BUFFER_SIZE - s->in_end,
	    deadline, &got);
	s->in_end += got;
	if (s->in_end == 0)
		stream_pool_put(&s->in);
	return result;
}

enum io
stream_line(struct stream *s, size_t limit, struct span *line,
    enum line_end *end)
{
	int64_t deadline = 0;
	enum io result;

	ensure(limit + 2 <= STREAM_BUFFER_SIZE);
	for (;;) {
		const char *start = unread_bytes(s), *lf = NULL;
		size_t have = unread(s), from, n;
		bool cr;

		from = s->scanned > s->in_start ? s->scanned - s->in_start : 0;
		if (have > from)
			lf = memchr(start + from, '\n', have - from);
		n = lf != NULL ? (size_t)(lf - start) : have;
		cr = n > 0 && start[n - 1] == '\r';
		if (n - cr > limit)
			return IO_LONG;
		if (lf != NULL) {
			line->p = start;
			line->n = n - cr;
			if (end != NULL)
				*end = cr ? LINE_CRLF : LINE_LF;
			s->in_start += n + 1;
			s->scanned = s->in_start;
			return IO_OK;
		}
		s->scanned = s->in_end;
		if (deadline == 0)
			deadline = stream_until(s);
		if ((result = fill(s, deadline)) != IO_OK)
			return result;
	}
}

enum io
stream_peek_more(struct stream *s, size_t have, struct span *bytes)
{
	int64_t deadline = 0;
	enum io result;

	if (have >= STREAM_BUFFER_SIZE)
		return IO_LONG;
	while (unread(s) <= have) {
		if (deadline == 0)
			deadline = stream_until(s);
		if ((result = fill(s, deadline)) != IO_OK)
			return result;
	}
	bytes->p = unread_bytes(s);
	bytes->n = unread(s);
	return IO_OK;
}

enum io
stream_peek(struct stream *s, struct span *bytes)
{
	return stream_peek_more(s, 0, bytes);
}

void
stream_consume(struct stream *s, size_t n)
{
	ensure(n <= unread(s));
	s->in_start += n;
}

enum io
stream_read(struct stream *s, void *to, size_t n)
{
	int64_t deadline = stream_until(s);
	char *p = to;
	enum io result = IO_OK;

	while (n > 0) {
		size_t part = unread(s) < n ? unread(s) : n;

		if (part > 0) {
			memcpy(p, unread_bytes(s), part);
			stream_consume(s, part);
		} else if (n >= STREAM_BUFFER_SIZE && !s->at_end) {
			/* much to come: straight to where it goes */
			if ((result = be_fair(s)) != IO_OK)
				return result;
			park(s);
			result = receive(s, p, n, deadline, &part);
		} else {
			result = fill(s, deadline);
		}
		if (result != IO_OK)
			return result;
		p += part;
		n -= part;
	}
	return IO_OK;
}

size_t
stream_buffered(const struct stream *s)
{
	size_t n = unread(s);

	if (s->tls_layer != NULL)
		n += s->tls_layer->decoded(s);
	if (n == 0 && stream_raw_pending(s))
		n = 1; /* of a TLS record that is not yet decoded */
	return n;
}

void
stream_expect(struct stream *s)
{
	s->more_likely = true;
}

uint64_t
stream_received(const struct stream *s)
{
	return s->received;
}

uint64_t
stream_sent(const struct stream *s)
{
	return s->sent;
}

void
stream_early(struct stream *s, struct span bytes)
{
	ensure(s->in == NULL && s->parked == NULL && s->in_end == 0 &&
	    bytes.n <= STREAM_BUFFER_SIZE);
	if (bytes.n == 0)
		return;
	s->parked = mem_resize(NULL, bytes.n);
	memcpy(s->parked, bytes.p, bytes.n);
	s->in_end = bytes.n;
}

size_t
stream_discard(struct stream *s)
{
	size_t n = unread(s);

	s->in_start = s->in_end = s->scanned = 0;
	stream_pool_put(&s->in);
	free(s->parked);
	s->parked = NULL;
	return n;
}

void
stream_rest(struct stream *s)
{
	park(s);
}

bool
stream_readable(struct stream *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	return stream_buffered(s) > 0 || s->at_end || poll(&p, 1, 0) > 0;
}

struct tls_session *
stream_tls(struct stream *s)
{
	return s->tls;
}

const char *
stream_error(const struct stream *s)
{
	if (s->text != NULL)
		return s->text;
	return s->error != 0 ? strerror(s->error) : "no error";
}

const char *
io_name(enum io result)
{
	static const char *const names[] = { "ok", "lost connection", "timeout",
		"line too long", "error", "cancelled" };

	return names[result];
}
