/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_size.h"

#include <fcntl.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"

enum { TAKE_TRIES = 4 };

static const char file_name[] = "maildirsize";

static bool
signed_number(struct span s, int64_t *out)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	uint64_t value;

	if (!span_u64(minus ? span_skip(s, 1) : s, INT64_MAX, &value))
		return false;
	*out = minus ? -(int64_t)value : (int64_t)value;
	return true;
}

/* The units may stand in any order. */
static bool
take_limits(struct span line, struct maildir_size *out)
{
	struct span part;

	while (span_cut(&line, ",", true, &part)) {
		char unit = part.n > 0 ? part.p[part.n - 1] : '\0';
		uint64_t *into = unit == 'S' ? &out->bytes_limit :
		    unit == 'C'              ? &out->messages_limit :
					       NULL;

		if (into == NULL ||
		    !span_u64(span_take(part, part.n - 1), INT64_MAX, into))
			return false;
	}
	return true;
}

/* Courier fills the numbers up with blanks. */
static bool
take_change(struct span line, struct maildir_size *out)
{
	struct span first;
	int64_t bytes, messages;
	bool less;

	line = span_trim(line);
	if (!span_cut(&line, " \t", true, &first) ||
	    !signed_number(first, &bytes) ||
	    !signed_number(span_trim(line), &messages))
		return false;
	/* one is below 0, or both are 0 */
	less = (bytes | messages) <= 0;
	if (__builtin_add_overflow(out->bytes, bytes, &bytes) ||
	    __builtin_add_overflow(out->messages, messages, &messages))
		return false;
	out->bytes = bytes;
	out->messages = messages;
	out->changes++;
	out->less |= less;
	return true;
}

void
maildir_size_sum(struct span lines, struct maildir_size *sum)
{
	struct span line;

	while (span_cut(&lines, "\n", false, &line))
		(void)take_change(line, sum);
}

bool
maildir_size_parse(struct span text, struct maildir_size *out)
{
	struct maildir_size size = { 0 };
	struct span line;

	if (!span_cut(&text, "\n", false, &line) || !take_limits(line, &size))
		return false;
	while (span_cut(&text, "\n", false, &line))
		if (!take_change(line, &size))
			return false;
	*out = size;
	return true;
}

/* "have" of a file that went wrong is nothing. */
static bool
fits(uint64_t limit, int64_t have, uint64_t more)
{
	uint64_t now = have < 0 ? 0 : (uint64_t)have;

	return limit == 0 || (now <= limit && more <= limit - now);
}

bool
maildir_size_allows(const struct maildir_size *s, uint64_t bytes,
    uint64_t messages)
{
	return fits(s->bytes_limit, s->bytes, bytes) &&
	    fits(s->messages_limit, s->messages, messages);
}

static int
open_file(int root, int flags, off_t *size)
{
	int fd = openat(root, file_name,
	    flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
		fd_close(&fd);
	if (fd >= 0)
		*size = st.st_size;
	return fd;
}

/* What is to come. */
struct wanted {
	uint64_t bytes, messages;
	const struct maildir_size *limits; /* NULL: whatever the file says */
};

bool
maildir_size_of(const struct maildir_size *s, uint64_t bytes_limit,
    uint64_t messages_limit)
{
	return s->changes > 0 && s->bytes_limit == bytes_limit &&
	    s->messages_limit == messages_limit && s->bytes >= 0 &&
	    s->messages >= 0;
}

static enum maildir_room
unknown(const struct wanted *w)
{
	return w->limits == NULL ? MAILDIR_ROOM_TAKEN : MAILDIR_ROOM_UNKNOWN;
}

/* By what the file says up to "end". */
static enum maildir_room
judge(int fd, off_t end, const struct wanted *w)
{
	char text[MAILDIR_SIZE_FILE_MAX];
	struct maildir_size size;

	if (end < 0 || end > (off_t)sizeof(text) ||
	    fd_pread_all(fd, text, (size_t)end, 0) != 0 ||
	    !maildir_size_parse((struct span){ text, (size_t)end }, &size) ||
	    (w->limits != NULL &&
		!maildir_size_of(&size, w->limits->bytes_limit,
		    w->limits->messages_limit)))
		return unknown(w);
	return maildir_size_allows(&size, w->bytes, w->messages) ?
	    MAILDIR_ROOM_TAKEN :
	    MAILDIR_ROOM_NONE;
}

bool
maildir_size_room(int root, uint64_t bytes)
{
	const struct wanted w = { bytes, 1, NULL };
	off_t end;
	int fd = open_file(root, O_RDONLY, &end);
	bool room = fd < 0 || judge(fd, end, &w) == MAILDIR_ROOM_TAKEN;

	fd_close(&fd);
	return room;
}

static void
forget(int root)
{
	(void)!unlinkat(root, file_name, 0);
}

static bool
is_replaced(int fd)
{
	struct stat st;

	return fstat(fd, &st) != 0 || st.st_nlink == 0;
}

/* In one write, so that lines of several stay whole: its bytes, or -1. */
static int
append(int root, int fd, int64_t bytes, int64_t messages)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%lld %lld\n", (long long)bytes,
	    (long long)messages);

	if (write(fd, line, (size_t)n) == n)
		return n;
	if (!is_replaced(fd))
		forget(root);
	return -1;
}

/* What was judged is read once more only where others wrote behind it. */
static enum maildir_room
take(int root, int fd, off_t seen, const struct wanted *w)
{
	enum maildir_room r = judge(fd, seen, w);
	off_t end;
	int n;

	if (r != MAILDIR_ROOM_TAKEN)
		return r;
	n = append(root, fd, (int64_t)w->bytes, (int64_t)w->messages);
	end = lseek(fd, 0, SEEK_CUR) - n;
	if (n < 0 || end == seen)
		return MAILDIR_ROOM_TAKEN;
	r = judge(fd, end, w);
	if (r != MAILDIR_ROOM_TAKEN)
		(void)append(root, fd, -(int64_t)w->bytes,
		    -(int64_t)w->messages);
	return r == MAILDIR_ROOM_NONE ? MAILDIR_ROOM_CONTENDED : r;
}

/*
 * With a share of its lock, in the file that is there once it is had. Nobody
 * waits for that: the owner may hold it.
 */
static int
open_shared(int root, off_t *size)
{
	int fd = open_file(root, O_RDWR | O_APPEND, size);

	for (int i = 1; fd >= 0 && i < TAKE_TRIES; i++) {
		bool held =
		    flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK;

		if (held && !is_replaced(fd))
			break;
		/* somebody begins to count, or has counted */
		fd_close(&fd);
		(void)sched_yield();
		fd = open_file(root, O_RDWR | O_APPEND, size);
	}
	return fd;
}

static enum maildir_room
take_once(int root, const struct wanted *w, struct maildir_claim *c)
{
	enum maildir_room r;
	off_t size;
	int fd = open_shared(root, &size);

	*c = (struct maildir_claim){ .fd = -1 };
	if (fd < 0)
		return unknown(w);
	r = take(root, fd, size, w);
	if (r == MAILDIR_ROOM_TAKEN)
		*c = (struct maildir_claim){ fd, (int64_t)w->bytes,
			(int64_t)w->messages };
	else
		fd_close(&fd);
	return r;
}

/* What took the room away may have been taken back by now: once more. */
static enum maildir_room
take_wanted(int root, const struct wanted *w, struct maildir_claim *c)
{
	enum maildir_room r = take_once(root, w, c);

	if (r != MAILDIR_ROOM_CONTENDED)
		return r;
	for (int i = 1; r == MAILDIR_ROOM_CONTENDED && i < TAKE_TRIES; i++)
		r = take_once(root, w, c);
	return r == MAILDIR_ROOM_NONE ? MAILDIR_ROOM_CONTENDED : r;
}

enum maildir_room
maildir_size_take(int root, uint64_t bytes, uint64_t messages,
    struct maildir_claim *claim)
{
	const struct wanted w = { bytes, messages, NULL };

	return take_wanted(root, &w, claim);
}

enum maildir_room
maildir_size_claim(int root, const struct maildir_size *limits, uint64_t bytes,
    uint64_t messages, struct maildir_claim *claim)
{
	const struct wanted w = { bytes, messages, limits };

	return take_wanted(root, &w, claim);
}

void
maildir_claim_move(int root, struct maildir_claim *claim)
{
	off_t size;

	*claim = (struct maildir_claim){ .fd = open_shared(root, &size) };
	if (claim->fd >= 0)
		(void)append(root, claim->fd, 0, 0);
}

/*
 * A count that came meanwhile may have the claim, what came of it, both or
 * neither: who asks next counts anew.
 */
void
maildir_claim_settle(struct maildir_claim *c, int root, int64_t bytes,
    int64_t messages)
{
	int64_t more = bytes - c->bytes, others = messages - c->messages;

	if (c->fd < 0)
		maildir_size_add(root, more, others);
	else if (is_replaced(c->fd))
		forget(root);
	else if (more != 0 || others != 0)
		(void)append(root, c->fd, more, others);
	if (c->fd >= 0)
		(void)flock(c->fd, LOCK_UN);
	c->bytes = bytes;
	c->messages = messages;
}

void
maildir_claim_end(struct maildir_claim *c)
{
	fd_close(&c->fd);
}

void
maildir_size_add(int root, int64_t bytes, int64_t messages)
{
	off_t size;
	int fd;

	if (bytes == 0 && messages == 0)
		return;
	if (bytes == INT64_MIN) {
		forget(root);
		return;
	}
	fd = open_file(root, O_WRONLY | O_APPEND, &size);
	if (fd < 0)
		return;
	(void)append(root, fd, bytes, messages);
	fd_close(&fd);
}
