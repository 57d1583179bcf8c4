/* SPDX-License-Identifier: ISC */
/*
 * Reading queue files. A queue file is written by cleanup, yet what is in it
 * came from strangers and from a disk: every count, offset and length is
 * checked before use.
 */
#include "lib/queue/queue_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/queue/queue_crc.h"
#include "lib/queue/queue_field.h"

enum {
	TAIL = 8192, /* read at once; holds most trailers and the footer */
	ABANDONED_S = 60,
	MAGIC_DAMAGED = 12, /* so many bytes of the magic are no accident */
};

static const unsigned int known_flags = QUEUE_BODY_8BIT | QUEUE_SMTPUTF8 |
    QUEUE_REPORT | QUEUE_VERIFY | QUEUE_WARNED | QUEUE_LONG_LINES |
    QUEUE_TRACE | QUEUE_HAS_PREFIX | QUEUE_WARNING | QUEUE_HINTS;

struct footer {
	uint64_t count;
	uint64_t content_offset;
	uint64_t trailer_offset;
	uint64_t trailer_size;
	uint32_t crc;
	unsigned char bytes[QUEUE_FOOTER_SIZE];
};

/* A footer that is damaged must not be taken for one that is missing. */
static enum queue_read
check_magic(const unsigned char *bytes)
{
	int same = 0;

	for (int i = 0; i < QUEUE_MAGIC_SIZE; i++)
		same += bytes[i] == (unsigned char)QUEUE_MAGIC[i];
	if (same == QUEUE_MAGIC_SIZE)
		return QUEUE_OK;
	return same >= MAGIC_DAMAGED ? QUEUE_CORRUPT : QUEUE_INCOMPLETE;
}

static enum queue_read
parse_footer(struct footer *f, uint64_t size)
{
	static const unsigned char zeros[FOOTER_CRC - FOOTER_ZEROS];
	enum queue_read magic = check_magic(f->bytes);
	uint64_t end = size - QUEUE_FOOTER_SIZE;

	if (magic != QUEUE_OK)
		return magic;
	f->count = queue_get_number(f->bytes + FOOTER_COUNT, 4);
	f->content_offset = queue_get_number(f->bytes + FOOTER_CONTENT, 8);
	f->trailer_offset = queue_get_number(f->bytes + FOOTER_TRAILER, 8);
	f->trailer_size = queue_get_number(f->bytes + FOOTER_TRAILER_SIZE, 8);
	f->crc = (uint32_t)queue_get_number(f->bytes + FOOTER_CRC, 4);
	if (queue_get_number(f->bytes + FOOTER_VERSION, 4) != QUEUE_VERSION ||
	    memcmp(f->bytes + FOOTER_ZEROS, zeros, sizeof(zeros)) != 0 ||
	    f->trailer_offset > end || f->trailer_size > TRAILER_MAX ||
	    f->trailer_size != end - f->trailer_offset ||
	    f->content_offset > f->trailer_offset ||
	    f->content_offset > PREFIX_MAX || f->count == 0 ||
	    f->count > RECIPIENTS_MAX ||
	    f->count > f->trailer_size / RECIPIENT_MIN)
		return QUEUE_CORRUPT;
	return QUEUE_OK;
}

/* The trailer as it is parsed, and the checksum as far as that has come. */
struct parse {
	struct span whole;
	struct span rest;
	off_t offset; /* of the whole in the file */
	uint32_t crc;
	struct arena *arena;
};

static off_t
position(const struct parse *p, const char *at)
{
	return p->offset + (at - p->whole.p);
}

static bool
take(struct parse *p, const char *name, size_t max, struct span *value)
{
	static const char zeros[FLAGS_DIGITS];
	const char *from = p->rest.p;
	bool changes =
	    strcmp(name, FIELD_FLAGS) == 0 || strcmp(name, FIELD_STATUS) == 0;

	if (!queue_field_if(&p->rest, name, value) || value->n > max)
		return false;
	p->crc = queue_crc(p->crc, from, (size_t)(value->p - from));
	p->crc = queue_crc(p->crc, changes ? zeros : value->p, value->n);
	return true;
}

static bool
take_text(struct parse *p, const char *name, size_t max, const char **text)
{
	struct span value;

	if (!take(p, name, max, &value))
		return false;
	*text = arena_span(p->arena, value);
	return true;
}

/* One number has one spelling, so that what is read is what was written. */
static bool
take_number(struct parse *p, const char *name, uint64_t max, uint64_t *out)
{
	struct span value;

	return take(p, name, 20, &value) && span_u64(value, max, out) &&
	    (value.n == 1 || value.p[0] != '0');
}

static bool
take_flags(struct parse *p, struct queue_envelope *e)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int flags = 0;
	struct span value;
	const char *digit;

	if (!take(p, FIELD_FLAGS, FLAGS_DIGITS, &value) ||
	    value.n != FLAGS_DIGITS)
		return false;
	for (size_t i = 0; i < value.n; i++) {
		digit = memchr(digits, value.p[i], sizeof(digits) - 1);
		if (digit == NULL)
			return false;
		flags = flags << 4 | (unsigned int)(digit - digits);
	}
	e->flags = flags;
	e->flags_offset = position(p, value.p);
	return (flags & ~known_flags) == 0;
}

static bool
status_valid(char status)
{
	return status == QUEUE_RECIPIENT_PENDING ||
	    status == QUEUE_RECIPIENT_DONE ||
	    status == QUEUE_RECIPIENT_BOUNCED ||
	    status == QUEUE_RECIPIENT_REPORTING ||
	    status == QUEUE_RECIPIENT_SUCCESS ||
	    status == QUEUE_RECIPIENT_TELLING;
}

/* Is this the name of the next field? */
static bool
comes(const struct parse *p, const char *name)
{
	struct span after = p->rest;
	struct span value;

	return queue_field_if(&after, name, &value);
}

static bool
take_recipient(struct parse *p, struct queue_recipient *r)
{
	struct span status;
	uint64_t notify = 0;

	r->orcpt = "";
	if (!take_text(p, FIELD_RECIPIENT, ADDRESS_MAX, &r->address))
		return false;
	r->original = r->address;
	if (comes(p, FIELD_ORIGINAL) &&
	    !take_text(p, FIELD_ORIGINAL, ADDRESS_MAX, &r->original))
		return false;
	if (comes(p, FIELD_ORCPT) &&
	    !take_text(p, FIELD_ORCPT, ORCPT_MAX, &r->orcpt))
		return false;
	if (comes(p, FIELD_NOTIFY) &&
	    !take_number(p, FIELD_NOTIFY, NOTIFY_MAX, &notify))
		return false;
	if (!take(p, FIELD_STATUS, 1, &status) || status.n != 1 ||
	    !status_valid(status.p[0]))
		return false;
	r->notify = (unsigned int)notify;
	r->status = status.p[0];
	r->offset = position(p, status.p);
	return true;
}

/* What is in front of the fields, the first of which has a length. */
static void
skip_padding(struct parse *p)
{
	while (p->rest.n > 0 && p->rest.p[0] == '\0' &&
	    p->rest.p - p->whole.p < PADDING_MAX)
		p->rest = span_skip(p->rest, 1);
}

static bool
parse_trailer(struct parse *p, const struct footer *f, const char *id,
    struct queue_envelope *e)
{
	const char *written_as;
	uint64_t ret, arrival;

	skip_padding(p);
	if (!take_text(p, FIELD_QUEUE_ID, QUEUE_ID_MAX, &written_as) ||
	    (id != NULL && strcmp(id, written_as) != 0) ||
	    !take_text(p, FIELD_SENDER, ADDRESS_MAX, &e->sender) ||
	    !take_text(p, FIELD_ENVID, ENVID_MAX, &e->envid) ||
	    !take_number(p, FIELD_RET, 2, &ret) || !take_flags(p, e) ||
	    !take_number(p, FIELD_ARRIVAL, INT64_MAX / 2, &arrival) ||
	    !take_text(p, FIELD_CLIENT, CLIENT_MAX, &e->client))
		return false;
	e->ret = (unsigned int)ret;
	e->arrival = (int64_t)arrival;
	e->recipient_count = f->count;
	e->recipients =
	    arena_alloc(p->arena, f->count * sizeof(*e->recipients));
	for (size_t i = 0; i < f->count; i++)
		if (!take_recipient(p, &e->recipients[i]))
			return false;
	return p->rest.n == 0 &&
	    queue_crc(p->crc, f->bytes, FOOTER_CRC) == f->crc;
}

/* The trailer, from what was read already or from the file. */
static enum queue_read
parse_file(int fd, const char *tail, size_t n, const struct footer *f,
    const char *id, struct arena *a, struct queue_envelope *e)
{
	size_t size = f->trailer_size;
	struct parse p = { .offset = (off_t)f->trailer_offset, .arena = a };
	enum queue_read result = QUEUE_CORRUPT;
	char *whole = NULL;

	if (size + QUEUE_FOOTER_SIZE <= n) {
		p.whole.p = tail + n - QUEUE_FOOTER_SIZE - size;
	} else {
		p.whole.p = whole = malloc(size);
		if (whole == NULL ||
		    fd_pread_all(fd, whole, size, p.offset) == -1) {
			free(whole);
			return QUEUE_UNREADABLE;
		}
	}
	p.whole.n = size;
	p.rest = p.whole;
	if (parse_trailer(&p, f, id, e))
		result = QUEUE_OK;
	free(whole);
	e->content_offset = (off_t)f->content_offset;
	e->content_size = (off_t)(f->trailer_offset - f->content_offset);
	return result;
}

enum queue_read
queue_read_envelope(int fd, const char *id, struct arena *a,
    struct queue_envelope *e)
{
	char tail[TAIL];
	struct queue_envelope out = { 0 };
	enum queue_read result;
	struct footer f;
	struct stat st;
	size_t n;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return QUEUE_UNREADABLE;
	if (st.st_nlink == 0)
		return QUEUE_GONE;
	if (st.st_size < QUEUE_FOOTER_SIZE)
		return QUEUE_INCOMPLETE;
	n = st.st_size < TAIL ? (size_t)st.st_size : TAIL;
	if (fd_pread_all(fd, tail, n, st.st_size - (off_t)n) == -1)
		return QUEUE_UNREADABLE;
	memcpy(f.bytes, tail + n - QUEUE_FOOTER_SIZE, QUEUE_FOOTER_SIZE);
	result = parse_footer(&f, (uint64_t)st.st_size);
	if (result == QUEUE_OK)
		result = parse_file(fd, tail, n, &f, id, a, &out);
	if (result == QUEUE_OK)
		*e = out;
	return result;
}

int
queue_mark(int fd, off_t offset, char status)
{
	return fd_pwrite_all(fd, &status, 1, offset);
}

int
queue_mark_flags(int fd, const struct queue_envelope *e, unsigned int flags)
{
	char text[FLAGS_DIGITS + 1];

	snprintf(text, sizeof(text), "%08x", flags);
	return fd_pwrite_all(fd, text, FLAGS_DIGITS, e->flags_offset);
}

int
queue_set_retry(int fd, int64_t when)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = when } };

	return futimens(fd, times);
}

/* 1: it is; 0; -1: it cannot be read. */
static int
unfinished(int fd)
{
	unsigned char footer[QUEUE_FOOTER_SIZE];
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (st.st_size < QUEUE_FOOTER_SIZE)
		return 1;
	if (fd_pread_all(fd, footer, sizeof(footer),
		st.st_size - QUEUE_FOOTER_SIZE) == -1)
		return -1;
	return check_magic(footer) == QUEUE_INCOMPLETE;
}

bool
queue_is_unfinished(int fd)
{
	return unfinished(fd) == 1;
}

static bool
touched_lately(int fd)
{
	struct stat st;

	return fstat(fd, &st) == -1 ||
	    st.st_mtime > clock_wall_us() / 1000000 - ABANDONED_S;
}

int
queue_remove_incomplete(const char *queue, const char *id)
{
	int fd = queue_open(queue, id, false);
	int result;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	/* who has just made it is about to lock it, and waits for nobody */
	if (touched_lately(fd))
		result = 0;
	else if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		result = errno == EWOULDBLOCK ? 0 : -1;
	else
		result = touched_lately(fd) ? 0 : unfinished(fd);
	if (result == 1 && queue_remove(queue, id) == -1)
		result = errno == ENOENT ? 0 : -1;
	fd_close(&fd);
	return result;
}
