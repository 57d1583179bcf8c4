/* SPDX-License-Identifier: ISC */
/*
 * A connection's whole stream: heads, greetings, messages, descriptors and
 * content, in pieces. The input begins with the protocol, "flags", the size of
 * a piece (0: all at once), and how often which number of descriptors comes
 * with a piece that announces none; rows follow, see row().
 *
 * No descriptor is left open, no more is held than has come, and what is heard
 * is the same in one piece.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/ipc/ipc_connection.h"
#include "lib/log/log.h"
#include "tests/fuzz/made_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	HEAD = 4, /* bytes before the rows */
	GREETS = 1, /* the right hello comes first */
	INTRODUCED = 2, /* and before that master's introduction */
	POLLS = 4, /* who listens is told when a whole message is there */
	SMALL = 8, /* and allows none that is large */
	SHIFT = 4, /* behind so many messages content follows; 0: never */
	ALLOWED = 200,
	MARKS = 64, /* places where descriptors leave */
	STREAM_MAX = 16 << 20,
	MOST = 4096, /* of the input */
	OPEN_MOST = 256, /* descriptors, of which some are not ours */
};

/* What the other side says, and what descriptors come with which bytes. */
struct said {
	struct arena *arena;
	struct buf bytes;
	struct {
		size_t at, n;
	} marks[MARKS];
	size_t marked;
};

struct listener {
	struct ipc *c;
	unsigned int flags;
	bool rests; /* and wipes, between the pieces */
	bool content;
	size_t messages;
	struct buf heard;
	enum ipc_result last;
	bool greeted;
};

static int given = -1; /* whose copies are sent */

static void
mark(struct said *s, size_t n)
{
	if (n > 0 && s->marked < MARKS) {
		s->marks[s->marked].at = s->bytes.n;
		s->marks[s->marked++].n = n;
	}
}

static void
say(struct said *s, const struct ipc_message *m, const void *message)
{
	struct ipc_fds fds = { .n = 0 };
	struct ipc_fault fault;
	size_t at = s->bytes.n;

	ensure(ipc_encode(m, message, &s->bytes, &fds, &fault));
	if (fds.n > 0 && s->marked < MARKS) {
		s->marks[s->marked].at = at;
		s->marks[s->marked++].n = fds.n;
	}
}

static void
say_hello(struct said *s, const struct ipc_protocol *p)
{
	const struct ipc_message *m = ipc_greetings[0];
	char *hello = arena_alloc(s->arena, m->size);
	const uint64_t version = p->version;

	memcpy(hello + m->fields[0].offset, &p->name, sizeof(p->name));
	memcpy(hello + m->fields[1].offset, &version, sizeof(version));
	say(s, m, hello);
}

/*
 * A row begins with a byte: below 64 so many bytes as they are, below 128 a
 * chunk of so many more than 64 (64 itself ends the content), and above a
 * message with its values.
 */
static void
row(struct said *s, const struct ipc_protocol *p, struct span *in)
{
	unsigned int kind = (unsigned char)made_part(in, 1).p[0];
	char head[IPC_HEAD];
	struct span part;

	if (kind >= 128) {
		const struct ipc_message *m =
		    made_choose(p->messages, kind - 128);

		say(s, m, made_message(s->arena, m, given, in));
		return;
	}
	part = made_part(in, kind % 64);
	ipc_set_u32(head, (uint32_t)part.n);
	if (kind >= 64)
		buf_add(&s->bytes, head, sizeof(head));
	buf_add_span(&s->bytes, part);
}

static void
prepare(struct said *s, const struct ipc_protocol *p, unsigned int flags,
    unsigned int stray, struct span in)
{
	size_t rows = 0;

	if (flags & INTRODUCED)
		say(s, ipc_greetings[1],
		    made_message(s->arena, ipc_greetings[1], given, &in));
	if (flags & GREETS)
		say_hello(s, p);
	while (in.n > 0) {
		if (stray != 0 && ++rows % (1 + stray % 8) == 0)
			mark(s, 1 + stray / 8);
		row(s, p, &in);
	}
}

/* From there up to n bytes, or the next descriptors. How many. */
static size_t
send_piece(const struct said *s, size_t from, size_t n, size_t *next, int to)
{
	struct iovec iov = { s->bytes.p + from, s->bytes.n - from };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union ipc_control control;
	struct cmsghdr *h;

	if (*next < s->marked && s->marks[*next].at == from) {
		size_t bytes = sizeof(int) * s->marks[*next].n;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(bytes);
		h = CMSG_FIRSTHDR(&mh);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(bytes);
		for (size_t i = 0; i < s->marks[*next].n; i++)
			memcpy(CMSG_DATA(h) + i * sizeof(int), &given,
			    sizeof(int));
		++*next;
	}
	/* two at one place: the second has come to nothing */
	while (*next < s->marked && s->marks[*next].at <= from)
		++*next;
	if (n > 0 && iov.iov_len > n)
		iov.iov_len = n;
	if (*next < s->marked && iov.iov_len > s->marks[*next].at - from)
		iov.iov_len = s->marks[*next].at - from;
	if (iov.iov_len > IPC_CHUNK_MAX) /* what a socket takes at once */
		iov.iov_len = IPC_CHUNK_MAX;
	ensure(sendmsg(to, &mh, MSG_NOSIGNAL) == (ssize_t)iov.iov_len);
	return iov.iov_len;
}

static enum ipc_result
hear_message(struct listener *l)
{
	struct ipc_fds fds = { .n = 0 };
	const struct ipc_message *m;
	struct ipc_fault fault;
	const void *message;
	enum ipc_result r = ipc_receive(l->c, &m, &message, clock_ms());

	if (r != IPC_OK)
		return r;
	ensure(ipc_encode(m, message, &l->heard, &fds, &fault));
	for (size_t i = 0; i < fds.n; i++)
		ensure(fcntl(fds.fd[i], F_GETFD) == FD_CLOEXEC);
	ipc_close_fds(m, message);
	l->messages++;
	l->content =
	    l->flags >> SHIFT != 0 && l->messages % (l->flags >> SHIFT) == 0;
	return IPC_OK;
}

static enum ipc_result
hear_chunk(struct listener *l)
{
	enum ipc_result r;
	struct span chunk;

	r = ipc_receive_chunk(l->c, &chunk, clock_ms());
	if (r != IPC_OK)
		return r;
	ensure(chunk.n <= IPC_CHUNK_MAX);
	buf_add_char(&l->heard, chunk.n > 0 ? 'c' : 'e');
	buf_add_span(&l->heard, chunk);
	l->content = chunk.n > 0;
	return IPC_OK;
}

/* All that is there. IPC_TIMEOUT: there may be more. */
static enum ipc_result
hear(struct listener *l)
{
	enum ipc_result r = IPC_OK;

	while (r == IPC_OK) {
		bool polls = (l->flags & POLLS) && !l->content;

		if (polls)
			r = ipc_poll(l->c);
		if (r != IPC_OK)
			break;
		r = l->content ? hear_chunk(l) : hear_message(l);
		ensure(!polls || r != IPC_TIMEOUT);
	}
	if (l->rests) {
		ipc_wipe(l->c);
		ipc_rest(l->c);
	}
	return r;
}

static void
check_caller(const struct ipc *c)
{
	if (!ipc_introduced(c))
		return;
	ensure(strlen(ipc_caller(c)) < IPC_CALLER_MAX);
	ensure(strlen(ipc_caller_service(c)) < IPC_CALLER_SERVICE_MAX);
}

static void
talk(struct listener *l, const struct said *s, const struct ipc_protocol *p,
    size_t piece)
{
	size_t sent = 0, next = 0;
	int ends[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	l->c = ipc_new(ends[0], p, "fuzz");
	if (l->flags & SMALL)
		ipc_allow(l->c, ALLOWED);
	l->last = IPC_TIMEOUT;
	while (sent < s->bytes.n && l->last == IPC_TIMEOUT) {
		sent += send_piece(s, sent, piece, &next, ends[1]);
		l->last = hear(l);
		ensure(l->c->in.room <= 2 * (sent + IPC_ROOM_FIRST));
	}
	close(ends[1]);
	if (l->last == IPC_TIMEOUT)
		l->last = hear(l);
	ensure(l->last == IPC_CLOSED || l->last == IPC_BROKEN);
	if (l->last == IPC_BROKEN)
		ensure(hear(l) == IPC_BROKEN);
	check_caller(l->c);
	l->greeted = ipc_greeted(l->c);
	ipc_free(&l->c);
}

static unsigned int
count_open(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < OPEN_MOST; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
begin(void)
{
	log_threshold(LEVEL_PANIC);
	given = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ensure(given >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct said s = { .bytes = BUF_INIT(STREAM_MAX) };
	struct listener a = { .heard = BUF_INIT(STREAM_MAX) }, b = a;
	const struct ipc_protocol *p;
	size_t protocols = 0;
	unsigned int before;

	if (size < HEAD || size > MOST)
		return 0;
	if (given < 0)
		begin();
	before = count_open();
	while (ipc_protocols[protocols] != NULL)
		protocols++;
	p = ipc_protocols[data[0] % protocols];
	a.flags = b.flags = data[1];
	a.rests = true;
	s.arena = arena_new();
	prepare(&s, p, data[1], data[3],
	    (struct span){ (const char *)data + HEAD, size - HEAD });
	talk(&a, &s, p, data[2]);
	if (s.marked == 0) {
		talk(&b, &s, p, 0);
		ensure(span_equal(buf_span(&a.heard), buf_span(&b.heard)));
		ensure(a.greeted == b.greeted);
		ensure(!a.greeted || a.last == b.last);
	}
	ensure(count_open() == before);
	buf_fini(&a.heard);
	buf_fini(&b.heard);
	buf_fini(&s.bytes);
	arena_free(&s.arena);
	return 0;
}
