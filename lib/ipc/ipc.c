/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: the other side may have been taken over by a stranger. What it
 * can make us hold is bounded: one frame or chunk, and only as much memory as
 * bytes have really come; IPC_FDS_MAX descriptors, and those that no message
 * announces end the connection.
 */
#include "lib/ipc/ipc_connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"

enum { OUT_MAX = 4 * IPC_FRAME_MAX };

struct ipc *
ipc_new(int fd, const struct ipc_protocol *protocol, const char *peer)
{
	struct ipc *c = mem_new(sizeof(*c));

	c->magic = IPC_MAGIC;
	c->fd = fd;
	c->protocol = protocol;
	c->peer = mem_text(peer);
	c->most = IPC_FRAME_MAX;
	buf_init(&c->out, OUT_MAX);
	c->arena = arena_new();
	(void)fd_nonblocking(fd, true);
	ipc_put_hello(c);
	return c;
}

void
ipc_free(struct ipc **c)
{
	struct ipc *gone = *c;

	*c = NULL;
	if (gone == NULL)
		return;
	ensure(gone->magic == IPC_MAGIC);
	gone->magic = 0;
	ipc_close_received(gone);
	wait_forget(gone->fd);
	fd_close(&gone->fd);
	buf_fini(&gone->out);
	ipc_input_drop(&gone->in);
	free(gone->peer);
	arena_free(&gone->arena);
	free(gone);
}

void
ipc_allow(struct ipc *c, size_t most)
{
	c->most = most;
}

int
ipc_fd(const struct ipc *c)
{
	return c->fd;
}

const char *
ipc_peer(const struct ipc *c)
{
	return c->peer;
}

const struct ipc_protocol *
ipc_protocol(const struct ipc *c)
{
	return c->protocol;
}

enum ipc_result
ipc_refuse(struct ipc *c, const char *format, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (!c->broken)
		log_warning("%s: protocol error: %s", c->peer, text);
	c->broken = true;
	ipc_close_received(c);
	return IPC_BROKEN;
}

static void
wipe_from(void *memory, size_t used, size_t room)
{
	if (memory != NULL && room > used)
		explicit_bzero((char *)memory + used, room - used);
}

void
ipc_wipe(struct ipc *c)
{
	wipe_from(c->out.p, c->out.n, c->out.room);
	if (c->in.start > 0)
		wipe_from(c->in.p, 0, c->in.start);
	wipe_from(c->in.p, c->in.end, c->in.room);
	arena_wipe(c->arena);
}

/* Sends what is waiting. The peer's last words count even if it is gone. */
static enum ipc_result
before_receive(struct ipc *c, bool *sent, int64_t deadline)
{
	enum ipc_result r;

	ensure(c->magic == IPC_MAGIC);
	if (c->broken)
		return IPC_BROKEN;
	*sent = c->out.n > c->hello;
	r = *sent ? ipc_flush(c, deadline) : IPC_OK;
	return r == IPC_CLOSED ? IPC_OK : r;
}

static enum ipc_result
want_body(struct ipc *c, size_t limit, bool wait_first, size_t *n,
    int64_t deadline)
{
	enum ipc_result r = ipc_want(c, IPC_HEAD, wait_first, deadline);

	if (r != IPC_OK)
		return r;
	*n = ipc_get_u32(c->in.p + c->in.start);
	if (*n > limit)
		return ipc_refuse(c, "%zu bytes announced, %zu are allowed", *n,
		    limit);
	return ipc_want(c, IPC_HEAD + *n, false, deadline);
}

static struct span
use_body(struct ipc *c, size_t n)
{
	struct span body = { c->in.p + c->in.start + IPC_HEAD, n };

	c->in.start += IPC_HEAD + n;
	return body;
}

static void
drop_fds(struct ipc_fds *fds, size_t n)
{
	fds->n -= n;
	memmove(fds->fd, fds->fd + n, fds->n * sizeof(fds->fd[0]));
}

/* A message is never empty. */
static enum ipc_result
declined(struct ipc *c)
{
	c->broken = true;
	c->unheard = true;
	return IPC_CLOSED;
}

static enum ipc_result
receive_frame(struct ipc *c, const struct ipc_message *const *messages,
    bool wait_first, const struct ipc_message **m, void **message,
    int64_t deadline)
{
	struct ipc_source from = { .fds = &c->in_fds, .messages = messages };
	struct ipc_fault fault;
	enum ipc_result r;
	size_t n, taken;

	r = want_body(c, c->most, wait_first, &n, deadline);
	if (r != IPC_OK)
		return r;
	if (n == 0)
		return declined(c);
	from.body = use_body(c, n);
	from.arena = c->arena;
	if (!ipc_decode(&from, m, message, &taken, &fault))
		return ipc_refuse(c, "%s", fault.text);
	drop_fds(&c->in_fds, taken);
	if (ipc_have(c) == 0 && c->in_fds.n > 0) {
		ipc_close_fds(*m, *message);
		return ipc_refuse(c, "descriptors that %s does not announce",
		    (*m)->name);
	}
	return IPC_OK;
}

/* One frame; the peer's hello may have an introduction before it. */
static enum ipc_result
greet(struct ipc *c, bool wait_first, int64_t deadline)
{
	const struct ipc_message *m;
	enum ipc_result r;
	void *message;

	r = receive_frame(c, ipc_greetings, wait_first, &m, &message, deadline);
	return r == IPC_OK ? ipc_take_greeting(c, m, message) : r;
}

enum ipc_result
ipc_receive(struct ipc *c, const struct ipc_message **m, const void **message,
    int64_t deadline)
{
	enum ipc_result r;
	void *found;
	bool sent;

	r = before_receive(c, &sent, deadline);
	if (r != IPC_OK)
		return r;
	arena_reset(c->arena);
	while (!c->greeted) {
		r = greet(c, sent, deadline);
		if (r != IPC_OK)
			return r;
		sent = false;
	}
	r = receive_frame(c, c->protocol->messages, sent, m, &found, deadline);
	if (r == IPC_OK)
		*message = found;
	return r;
}

enum ipc_result
ipc_expect(struct ipc *c, const struct ipc_message *m, const void **message,
    int64_t deadline)
{
	const struct ipc_message *came;
	const void *found;
	enum ipc_result r = ipc_receive(c, &came, &found, deadline);

	if (r != IPC_OK)
		return r;
	if (came == m) {
		*message = found;
		return IPC_OK;
	}
	ipc_close_fds(came, found);
	return ipc_refuse(c, "%s came where %s is due", came->name, m->name);
}

enum ipc_result
ipc_receive_chunk(struct ipc *c, struct span *chunk, int64_t deadline)
{
	enum ipc_result r;
	bool sent;
	size_t n;

	r = before_receive(c, &sent, deadline);
	if (r != IPC_OK)
		return r;
	ensure(c->greeted);
	r = want_body(c, IPC_CHUNK_MAX, sent, &n, deadline);
	if (r == IPC_OK)
		*chunk = use_body(c, n);
	return r;
}

static bool
whole_frame(const struct ipc *c)
{
	return ipc_have(c) >= IPC_HEAD &&
	    ipc_have(c) - IPC_HEAD >= ipc_get_u32(c->in.p + c->in.start);
}

/* "fresh": there may be something that no read has seen. */
static enum ipc_result
poll_frame(struct ipc *c, bool fresh)
{
	enum ipc_result r = c->broken ? IPC_BROKEN : IPC_OK;

	while (r == IPC_OK && (!c->greeted || !whole_frame(c))) {
		if (!c->greeted && whole_frame(c))
			r = greet(c, false, 0);
		else if (ipc_have(c) >= IPC_HEAD &&
		    ipc_get_u32(c->in.p + c->in.start) > c->most)
			r = ipc_refuse(c, "too large a message announced");
		else
			r = c->drained && !fresh ? IPC_TIMEOUT : ipc_read(c);
		fresh = false;
	}
	if (r == IPC_CLOSED && ipc_have(c) > 0)
		return ipc_refuse(c, "closed within a message");
	if (r == IPC_TIMEOUT)
		ipc_input_rest(&c->in, IPC_ROOM_FIRST);
	return r;
}

enum ipc_result
ipc_poll(struct ipc *c)
{
	return poll_frame(c, true);
}

enum ipc_result
ipc_poll_again(struct ipc *c)
{
	return poll_frame(c, false);
}

bool
ipc_buffered(const struct ipc *c)
{
	return ipc_have(c) > 0;
}

bool
ipc_greeted(const struct ipc *c)
{
	return c->greeted;
}

/*
 * An idle peer has nothing to say but its hello, which a server that never
 * answers may have sent at any time.
 */
bool
ipc_stale(struct ipc *c)
{
	enum ipc_result r;

	if (c->broken || ipc_have(c) > 0)
		return true;
	r = ipc_read(c);
	if (r == IPC_TIMEOUT)
		return false;
	if (r != IPC_OK)
		return true;
	if (!c->greeted && greet(c, false, 0) != IPC_OK)
		return true;
	return ipc_have(c) > 0 || ipc_read(c) != IPC_TIMEOUT;
}

void
ipc_rest(struct ipc *c)
{
	ipc_input_rest(&c->in, SIZE_MAX);
	if (c->out.n == 0 && c->out.room > IPC_ROOM_FIRST)
		buf_fini(&c->out);
}

bool
ipc_taken(const struct ipc *c)
{
	int unread = 1;

	return c->out.n <= c->hello && ioctl(c->fd, SIOCOUTQ, &unread) == 0 &&
	    unread == 0;
}

void
ipc_decline(struct ipc *c)
{
	static const char empty[IPC_HEAD];

	c->out.n = c->hello;
	c->out_fds.n = 0;
	buf_add(&c->out, empty, sizeof(empty));
	(void)ipc_flush(c, clock_ms());
	c->broken = true;
}

bool
ipc_unheard(const struct ipc *c)
{
	return c->unheard;
}

const char *
ipc_result_text(enum ipc_result r)
{
	switch (r) {
	case IPC_OK:
		return "success";
	case IPC_CLOSED:
		return "connection closed";
	case IPC_TIMEOUT:
		return "timeout";
	case IPC_BROKEN:
		return "protocol error";
	case IPC_ERROR:
		return strerror(errno);
	case IPC_CANCELLED:
		return "cancelled";
	}
	unreachable();
}
