/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: the other side may have been taken over by a stranger. What it
 * can make us hold is bounded: one frame or chunk, and only as much memory as
 * bytes have really come; IPC_FDS_MAX descriptors, and those that no message
 * announces end the connection.
 */
#include "lib/ipc/ipc.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/ipc/codec.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

enum {
	ROOM_FIRST = 16 * 1024, /* takes a small message in one read */
	ROOM_KEEP = 128 * 1024, /* more is given back when empty */
	SPARE_ROOMS = 4, /* of ROOM_FIRST */
	OUT_MAX = 4 * IPC_FRAME_MAX,
	CALLER_MAX = 64,
	CALLER_SERVICE_MAX = 256,
	MAGIC = 0x69706321,
};

struct input {
	char *p;
	size_t start; /* of what is not yet used */
	size_t end;
	size_t touched; /* nothing was ever written behind it */
	size_t room;
};

/*
 * A connection that waits for its next message has no room for it: hundreds
 * of them share what a few need. Spare rooms are clean.
 */
static struct {
	char *p[SPARE_ROOMS];
	size_t n;
} spare;

struct ipc {
	unsigned int magic;
	int fd;
	const struct ipc_protocol *protocol;
	char *peer;
	struct buf out;
	size_t hello; /* bytes of it in front of "out" */
	struct ipc_fds out_fds;
	struct input in;
	struct ipc_fds in_fds;
	struct arena *arena;
	bool greeted; /* the peer's hello has come */
	char caller[CALLER_MAX]; /* as master introduced it */
	char caller_service[CALLER_SERVICE_MAX];
	bool broken;
	bool never_wait; /* to send */
	bool unheard; /* the peer ended before it read all we sent */
	bool drained; /* the last read has taken all there was */
	bool blocks; /* a read without MSG_DONTWAIT waits */
	int64_t patience_ms; /* so long */
};

struct hello {
	const char *protocol;
	uint64_t version;
};

static const struct ipc_field hello_fields[] = {
	{ .name = "protocol",
	    .type = IPC_TEXT,
	    .limit = 32,
	    .offset = offsetof(struct hello, protocol),
	    .meaning = "name" },
	{ .name = "version",
	    .type = IPC_U64,
	    .limit = UINT32_MAX,
	    .offset = offsetof(struct hello, version),
	    .meaning = "number" },
};

static const struct ipc_message hello_message = {
	.name = "hello",
	.size = sizeof(struct hello),
	.fields = hello_fields,
	.count = 2,
	.meaning = "first frame of each side",
};

struct introduction {
	const char *program;
	const char *service;
};

static const struct ipc_field introduction_fields[] = {
	{ .name = "program",
	    .type = IPC_TEXT,
	    .limit = CALLER_MAX - 1,
	    .offset = offsetof(struct introduction, program),
	    .meaning = "whom the connection is for" },
	{ .name = "service",
	    .type = IPC_TEXT,
	    .limit = CALLER_SERVICE_MAX - 1,
	    .offset = offsetof(struct introduction, service),
	    .meaning = "its name in master.cf" },
};

static const struct ipc_message introduction_message = {
	.name = "introduction",
	.size = sizeof(struct introduction),
	.fields = introduction_fields,
	.count = 2,
	.meaning = "master, before it hands the connection out",
};

static const struct ipc_message *const greetings[] = { &hello_message,
	&introduction_message, NULL };

struct ipc *
ipc_new(int fd, const struct ipc_protocol *protocol, const char *peer)
{
	struct ipc *c = mem_new(sizeof(*c));
	struct hello hello = { protocol->name, protocol->version };

	c->magic = MAGIC;
	c->fd = fd;
	c->protocol = protocol;
	c->peer = mem_text(peer);
	buf_init(&c->out, OUT_MAX);
	c->arena = arena_new();
	(void)fd_nonblocking(fd, true);
	ipc_put(c, &hello_message, &hello);
	c->hello = c->out.n;
	return c;
}

/* Without leaving what is in it behind. */
static void
drop_room(struct input *in)
{
	if (in->p == NULL)
		return;
	explicit_bzero(in->p, in->touched);
	if (in->room == ROOM_FIRST && spare.n < SPARE_ROOMS)
		spare.p[spare.n++] = in->p;
	else
		free(in->p);
	in->p = NULL;
	in->room = in->touched = 0;
}

static void
close_received(struct ipc *c)
{
	while (c->in_fds.n > 0)
		close(c->in_fds.fd[--c->in_fds.n]);
}

void
ipc_free(struct ipc **c)
{
	struct ipc *gone = *c;

	*c = NULL;
	if (gone == NULL)
		return;
	ensure(gone->magic == MAGIC);
	gone->magic = 0;
	close_received(gone);
	wait_forget(gone->fd);
	fd_close(&gone->fd);
	buf_fini(&gone->out);
	drop_room(&gone->in);
	free(gone->peer);
	arena_free(&gone->arena);
	free(gone);
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
	close_received(c);
	return IPC_BROKEN;
}

/* Sending. */

void
ipc_put(struct ipc *c, const struct ipc_message *m, const void *message)
{
	struct ipc_fault fault;

	ensure(c->magic == MAGIC);
	if (!c->broken && !ipc_encode(m, message, &c->out, &c->out_fds, &fault))
		(void)ipc_refuse(c, "%s", fault.text);
}

void
ipc_put_chunk(struct ipc *c, const void *data, size_t n)
{
	char head[IPC_HEAD];

	ensure(n <= IPC_CHUNK_MAX);
	if (c->broken)
		return;
	ipc_set_u32(head, (uint32_t)n);
	buf_add(&c->out, head, sizeof(head));
	buf_add(&c->out, data, n);
	if (c->out.overflow)
		(void)ipc_refuse(c, "too much content before a flush");
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

static void
attach_fds(struct msghdr *mh, union control *control, const struct ipc_fds *fds)
{
	struct cmsghdr *h;

	mh->msg_control = control->bytes;
	mh->msg_controllen = CMSG_SPACE(sizeof(int) * fds->n);
	memset(control, 0, mh->msg_controllen);
	h = CMSG_FIRSTHDR(mh);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * fds->n);
	memcpy(CMSG_DATA(h), fds->fd, sizeof(int) * fds->n);
}

/* Descriptors leave with the first byte; a short write has sent them all. */
static ssize_t
send_some(struct ipc *c, size_t from)
{
	struct iovec iov = { c->out.p + from, c->out.n - from };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t done;

	if (c->out_fds.n > 0)
		attach_fds(&mh, &control, &c->out_fds);
	do
		done = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (done < 0 && errno == EINTR);
	if (done > 0) {
		c->out_fds.n = 0;
		c->hello = 0;
	}
	return done;
}

static enum ipc_result
from_wait(enum wait_result r)
{
	if (r == WAIT_CANCELLED)
		return IPC_CANCELLED;
	return r == WAIT_TIMEOUT ? IPC_TIMEOUT : IPC_OK;
}

/* Both mean that the peer has not read all that was sent: see unix(7). */
static enum ipc_result
from_errno(struct ipc *c)
{
	if (errno != EPIPE && errno != ECONNRESET)
		return IPC_ERROR;
	c->unheard = true;
	return IPC_CLOSED;
}

static void
out_empty(struct ipc *c)
{
	c->out_fds.n = 0;
	if (c->out.room > ROOM_KEEP)
		buf_fini(&c->out);
	else
		buf_reset(&c->out);
}

enum ipc_result
ipc_flush(struct ipc *c, int64_t deadline)
{
	enum ipc_result r = IPC_OK;
	size_t sent = 0;
	ssize_t done;

	while (!c->broken && sent < c->out.n) {
		done = send_some(c, sent);
		if (done >= 0) {
			sent += (size_t)done;
			continue;
		}
		if (errno == EAGAIN && c->never_wait)
			break;
		r = errno == EAGAIN ?
		    from_wait(wait_fd(c->fd, WAIT_WRITE, deadline)) :
		    from_errno(c);
		if (r != IPC_OK)
			break;
	}
	if (c->broken)
		return IPC_BROKEN;
	if (sent == c->out.n || r == IPC_CLOSED)
		out_empty(c);
	else
		buf_drop(&c->out, sent);
	return r;
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

void
ipc_never_wait_to_send(struct ipc *c)
{
	c->never_wait = true;
}

bool
ipc_pending(const struct ipc *c)
{
	return c->out.n > c->hello;
}

enum ipc_result
ipc_send(struct ipc *c, const struct ipc_message *m, const void *message,
    int64_t deadline)
{
	ipc_put(c, m, message);
	return ipc_flush(c, deadline);
}

/*
 * A frame that went out in part must be finished: the rest stays in the
 * buffer, and the message is not forgotten.
 */
enum ipc_result
ipc_send_now(struct ipc *c, const struct ipc_message *m, const void *message)
{
	size_t before = c->out.n, fds_before = c->out_fds.n;
	ssize_t done;

	ipc_put(c, m, message);
	if (c->broken)
		return IPC_BROKEN;
	done = send_some(c, 0);
	if (done <= 0) {
		/* not a number that may soon be another descriptor's */
		c->out.n = before;
		c->out_fds.n = fds_before;
		return done == 0 || errno == EAGAIN ? IPC_TIMEOUT :
						      from_errno(c);
	}
	buf_drop(&c->out, (size_t)done);
	return IPC_OK;
}

/* Receiving. */

static size_t
have(const struct ipc *c)
{
	return c->in.end - c->in.start;
}

static void
first_room(struct input *in)
{
	in->p = spare.n > 0 ? spare.p[--spare.n] : mem_resize(NULL, ROOM_FIRST);
	in->room = ROOM_FIRST;
}

static void
grow(struct input *in)
{
	size_t room = in->room * 2;
	char *p = mem_resize(NULL, room);

	memcpy(p, in->p, in->end);
	drop_room(in);
	in->p = p;
	in->room = room;
	in->touched = in->end;
}

/* Before a wait: what is empty, and not larger than that. */
static void
rest_input(struct input *in, size_t most)
{
	if (in->start != in->end || in->room > most)
		return;
	in->start = in->end = 0;
	drop_room(in);
}

static void
make_room(struct input *in)
{
	if (in->start == in->end) {
		in->start = in->end = 0;
		if (in->room > ROOM_KEEP)
			drop_room(in);
	}
	if (in->start > 0 && in->room - in->end < in->room / 2) {
		memmove(in->p, in->p + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	if (in->room == 0)
		first_room(in);
	else if (in->end == in->room)
		grow(in);
}

/* False: more descriptors than anybody may send. */
static bool
keep_fds(struct ipc *c, struct msghdr *mh)
{
	bool fit = (mh->msg_flags & MSG_CTRUNC) == 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(mh); h != NULL;
	     h = CMSG_NXTHDR(mh, h)) {
		size_t n;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int),
			    sizeof(int));
			if (c->in_fds.n < IPC_FDS_MAX) {
				c->in_fds.fd[c->in_fds.n++] = fd;
			} else {
				close(fd);
				fit = false;
			}
		}
	}
	return fit;
}

/*
 * Reads what is there; IPC_TIMEOUT when that is nothing. A short read means
 * that there is no more, or that the rest begins with descriptors; then the
 * next wait is over at once.
 */
static enum ipc_result
read_flags(struct ipc *c, int flags)
{
	struct iovec iov;
	union control control;
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;

	make_room(&c->in);
	iov.iov_base = c->in.p + c->in.end;
	iov.iov_len = c->in.room - c->in.end;
	mh.msg_control = control.bytes;
	mh.msg_controllen = sizeof(control.bytes);
	do
		got = recvmsg(c->fd, &mh, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	c->drained = got < (ssize_t)iov.iov_len;
	if (got < 0)
		return errno == EAGAIN ? IPC_TIMEOUT : from_errno(c);
	if (!keep_fds(c, &mh))
		return ipc_refuse(c,
		    "descriptors were lost: too many, or too many open files");
	if (got == 0)
		return IPC_CLOSED;
	c->in.end += (size_t)got;
	if (c->in.end > c->in.touched)
		c->in.touched = c->in.end;
	return IPC_OK;
}

static enum ipc_result
read_some(struct ipc *c)
{
	return read_flags(c, MSG_DONTWAIT);
}

/* Makes a read wait so long: mostly as long as the last one did. */
static bool
block_for(struct ipc *c, int64_t ms)
{
	struct timeval t = {
		.tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000,
	};

	if (ms <= 0 || t.tv_sec >= INT32_MAX)
		return false;
	if (!c->blocks && fd_nonblocking(c->fd, false) != 0)
		return false;
	c->blocks = true;
	if (ms != c->patience_ms &&
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) != 0)
		return false;
	c->patience_ms = ms;
	return true;
}

/*
 * Makes a read wait until the deadline, or up to a second longer. A server's
 * patience is the same for each request.
 */
static bool
may_block(struct ipc *c, int64_t deadline)
{
	int64_t left = deadline - clock_ms();

	return left >= 1000 && block_for(c, (left + 999) / 1000 * 1000);
}

/*
 * Waits, and reads: in one call, if nothing else can run meanwhile. IPC_OK
 * may also mean that nothing came.
 */
static enum ipc_result
wait_and_read(struct ipc *c, int64_t deadline)
{
	enum ipc_result r;

	if (task_current() == NULL && may_block(c, deadline))
		return read_flags(c, 0);
	/* a larger one would be made anew for each large message */
	rest_input(&c->in, ROOM_FIRST);
	r = from_wait(wait_fd(c->fd, WAIT_READ, deadline));
	if (r != IPC_OK)
		return r;
	r = read_some(c);
	return r == IPC_TIMEOUT ? IPC_OK : r;
}

/* At least n unused bytes in the buffer; fewer are no good end. */
static enum ipc_result
want(struct ipc *c, size_t n, bool wait_first, int64_t deadline)
{
	enum ipc_result r;

	while (have(c) < n) {
		r = wait_first || c->drained ? IPC_TIMEOUT : read_some(c);
		wait_first = false;
		if (r == IPC_TIMEOUT)
			r = wait_and_read(c, deadline);
		if (r == IPC_CLOSED && have(c) > 0)
			return ipc_refuse(c, "closed within a message");
		if (r != IPC_OK)
			return r;
	}
	return IPC_OK;
}

/* Sends what is waiting. The peer's last words count even if it is gone. */
static enum ipc_result
before_receive(struct ipc *c, bool *sent, int64_t deadline)
{
	enum ipc_result r;

	ensure(c->magic == MAGIC);
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
	enum ipc_result r = want(c, IPC_HEAD, wait_first, deadline);

	if (r != IPC_OK)
		return r;
	*n = ipc_get_u32(c->in.p + c->in.start);
	if (*n > limit)
		return ipc_refuse(c, "%zu bytes announced, %zu are allowed", *n,
		    limit);
	return want(c, IPC_HEAD + *n, false, deadline);
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

	r = want_body(c, IPC_FRAME_MAX, wait_first, &n, deadline);
	if (r != IPC_OK)
		return r;
	if (n == 0)
		return declined(c);
	from.body = use_body(c, n);
	from.arena = c->arena;
	if (!ipc_decode(&from, m, message, &taken, &fault))
		return ipc_refuse(c, "%s", fault.text);
	drop_fds(&c->in_fds, taken);
	if (have(c) == 0 && c->in_fds.n > 0) {
		ipc_close_fds(*m, *message);
		return ipc_refuse(c, "descriptors that %s does not announce",
		    (*m)->name);
	}
	return IPC_OK;
}

/* Who opened the connection: nobody but master is root (or is us). */
static bool
made_by_master(const struct ipc *c)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid());
}

static enum ipc_result
take_introduction(struct ipc *c, const struct introduction *i)
{
	if (c->caller[0] != '\0' || i->program[0] == '\0' || !made_by_master(c))
		return ipc_refuse(c, "an introduction that is not master's");
	snprintf(c->caller, sizeof(c->caller), "%s", i->program);
	snprintf(c->caller_service, sizeof(c->caller_service), "%s",
	    i->service);
	return IPC_OK;
}

/* One frame; the peer's hello may have an introduction before it. */
static enum ipc_result
greet(struct ipc *c, bool wait_first, int64_t deadline)
{
	const struct ipc_message *m;
	const struct hello *hello;
	enum ipc_result r;
	void *message;

	r = receive_frame(c, greetings, wait_first, &m, &message, deadline);
	if (r != IPC_OK)
		return r;
	if (m == &introduction_message)
		return take_introduction(c, message);
	hello = message;
	if (strcmp(hello->protocol, c->protocol->name) != 0 ||
	    hello->version != c->protocol->version)
		return ipc_refuse(c, "it speaks %s %u, we speak %s %u",
		    hello->protocol, (unsigned int)hello->version,
		    c->protocol->name, c->protocol->version);
	c->greeted = true;
	return IPC_OK;
}

const char *
ipc_caller(const struct ipc *c)
{
	ensure(c->greeted);
	if (c->caller[0] == '\0' && !made_by_master(c))
		return NULL;
	return c->caller;
}

const char *
ipc_caller_service(const struct ipc *c)
{
	return c->caller_service;
}

bool
ipc_introduce(int fd, const char *program, const char *service)
{
	struct introduction i = { program,
		strlen(service) < CALLER_SERVICE_MAX ? service : "" };
	struct buf b = BUF_INIT(1024);
	struct ipc_fds none = { .n = 0 };
	struct ipc_fault fault;
	bool sent = ipc_encode(&introduction_message, &i, &b, &none, &fault) &&
	    send(fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)b.n;

	buf_fini(&b);
	return sent;
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
	return have(c) >= IPC_HEAD &&
	    have(c) - IPC_HEAD >= ipc_get_u32(c->in.p + c->in.start);
}

/* "fresh": there may be something that no read has seen. */
static enum ipc_result
poll_frame(struct ipc *c, bool fresh)
{
	enum ipc_result r = c->broken ? IPC_BROKEN : IPC_OK;

	while (r == IPC_OK && (!c->greeted || !whole_frame(c))) {
		if (!c->greeted && whole_frame(c))
			r = greet(c, false, 0);
		else if (have(c) >= IPC_HEAD &&
		    ipc_get_u32(c->in.p + c->in.start) > IPC_FRAME_MAX)
			r = ipc_refuse(c, "too large a message announced");
		else
			r = c->drained && !fresh ? IPC_TIMEOUT : read_some(c);
		fresh = false;
	}
	if (r == IPC_CLOSED && have(c) > 0)
		return ipc_refuse(c, "closed within a message");
	if (r == IPC_TIMEOUT)
		rest_input(&c->in, ROOM_FIRST);
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
ipc_await(struct ipc *c, int64_t ms)
{
	ensure(task_current() == NULL && c->out.n <= c->hello);
	if (c->broken || have(c) > 0)
		return true;
	if (!block_for(c, ms))
		return wait_fd(c->fd, WAIT_READ, clock_ms() + ms) == WAIT_READY;
	return read_flags(c, 0) != IPC_TIMEOUT;
}

bool
ipc_buffered(const struct ipc *c)
{
	return have(c) > 0;
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

	if (c->broken || have(c) > 0)
		return true;
	r = read_some(c);
	if (r == IPC_TIMEOUT)
		return false;
	if (r != IPC_OK)
		return true;
	if (!c->greeted && greet(c, false, 0) != IPC_OK)
		return true;
	return have(c) > 0 || read_some(c) != IPC_TIMEOUT;
}

void
ipc_rest(struct ipc *c)
{
	rest_input(&c->in, SIZE_MAX);
	if (c->out.n == 0 && c->out.room > ROOM_FIRST)
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
