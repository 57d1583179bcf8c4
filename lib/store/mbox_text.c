/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: every byte is a stranger's. Nothing here keeps a line, and
 * nothing believes that the file is still what it was.
 */
#include "lib/store/mbox_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"

enum {
	CHUNK = 65536,
	IN_MEMORY_MAX = 1 << 20,
};

void
mbox_filter_init(struct mbox_filter *f, enum mbox_form form)
{
	memset(f, 0, sizeof(*f));
	f->form = form;
	f->header = true;
	f->header_end = -1;
	f->last = '\n';
}

/* ---- line ends ---- */

static void
put(struct mbox_filter *f, const char *p, size_t n, struct buf *to)
{
	if (n == 0)
		return;
	buf_add(to, p, n);
	f->out += n;
	f->last = p[n - 1];
}

/*
 * CR LF becomes LF; other CRs stay. So does that of CR CR LF: CR LF would be
 * the line that ends a header, where this is none.
 */
static void
put_lf(struct mbox_filter *f, const char *p, size_t n, struct buf *to)
{
	for (size_t i = 0, from = 0; n > 0; i++) {
		const char *cr;

		if (f->cr && i == 0 && (p[0] != '\n' || f->last == '\r'))
			put(f, "\r", 1, to);
		f->cr = false;
		cr = memchr(p + from, '\r', n - from);
		if (cr == NULL) {
			put(f, p + from, n - from, to);
			return;
		}
		put(f, p + from, (size_t)(cr - p) - from, to);
		from = (size_t)(cr - p) + 1;
		if (from == n) {
			f->cr = true;
			return;
		}
		if (p[from] != '\n' || f->last == '\r')
			put(f, "\r", 1, to);
	}
}

static void
put_crlf(struct mbox_filter *f, const char *p, size_t n, struct buf *to)
{
	size_t from = 0;

	for (;;) {
		const char *lf = memchr(p + from, '\n', n - from);
		size_t at;

		if (lf == NULL)
			break;
		at = (size_t)(lf - p);
		put(f, p + from, at - from, to);
		put(f, f->last == '\r' ? "\n" : "\r\n", f->last == '\r' ? 1 : 2,
		    to);
		/* an empty line begins behind a line end, not behind a CR */
		from = at + 1;
	}
	put(f, p + from, n - from, to);
}

static void
emit(struct mbox_filter *f, const char *p, size_t n, struct buf *to)
{
	if (f->dropping || n == 0)
		return;
	switch (f->form) {
	case MBOX_SHOWN:
		put_crlf(f, p, n, to);
		return;
	case MBOX_NEW:
		put_lf(f, p, n, to);
		return;
	}
}

/* ---- lines ---- */

static bool
is_blank(const char *p, size_t n)
{
	return n > 0 && p[n - 1] == '\n' &&
	    (n == 1 || (n == 2 && p[0] == '\r'));
}

static void
decide_header(struct mbox_filter *f)
{
	struct span line = { f->line, f->n };

	if (is_blank(f->line, f->n)) {
		f->header = f->dropping = false;
		f->header_end = (int64_t)f->out;
	} else if (f->line[0] != ' ' && f->line[0] != '\t') {
		size_t colon = span_find(line, ':');

		f->dropping =
		    colon < line.n && mbox_hidden(span_take(line, colon));
	}
}

/* The line's beginning is in f->line: all of it, or enough. */
static void
decide(struct mbox_filter *f, struct buf *to)
{
	static const char word[] = "From ";
	size_t quotes = 0;

	if (f->header && !f->run)
		decide_header(f);
	while (quotes < f->n && f->line[quotes] == '>')
		quotes++;
	emit(f, f->line, quotes, to);
	if (f->form == MBOX_NEW && f->n - quotes >= sizeof(word) - 1 &&
	    memcmp(f->line + quotes, word, sizeof(word) - 1) == 0)
		emit(f, ">", 1, to);
	emit(f, f->line + quotes, f->n - quotes, to);
	f->inside = f->line[f->n - 1] != '\n';
	f->run = false;
	f->n = 0;
}

static bool
all_quotes(const struct mbox_filter *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->line[i] != '>')
			return false;
	return true;
}

void
mbox_filter_feed(struct mbox_filter *f, struct span bytes, struct buf *to)
{
	const char *p = bytes.p, *end = bytes.p + bytes.n;

	while (p < end) {
		if (f->inside) {
			const char *lf = memchr(p, '\n', (size_t)(end - p));
			size_t n = lf == NULL ? (size_t)(end - p) :
						(size_t)(lf - p) + 1;

			emit(f, p, n, to);
			f->inside = lf == NULL;
			p += n;
			continue;
		}
		f->line[f->n++] = *p++;
		if (f->line[f->n - 1] != '\n' && f->n < sizeof(f->line))
			continue;
		if (f->line[f->n - 1] != '\n' && all_quotes(f)) {
			/* however many: what is behind them decides */
			if (f->header && !f->run)
				f->dropping = false;
			emit(f, f->line, f->n, to);
			f->run = true;
			f->n = 0;
			continue;
		}
		decide(f, to);
	}
}

/* A last CR: half of the line end that it lacks, which may end the header. */
static bool
ends_in_cr(const struct mbox_filter *f)
{
	return f->form == MBOX_NEW &&
	    (f->cr || (f->n > 0 && f->line[f->n - 1] == '\r'));
}

void
mbox_filter_end(struct mbox_filter *f, struct buf *to)
{
	if (ends_in_cr(f))
		mbox_filter_feed(f, SPAN("\n"), to);
	if (f->n > 0)
		decide(f, to);
	f->dropping = false;
	if (f->out > 0 && f->last != '\n') {
		if (f->form == MBOX_SHOWN && f->last != '\r')
			put(f, "\r", 1, to);
		put(f, "\n", 1, to);
	}
	if (f->header_end == -1)
		f->header_end = (int64_t)f->out;
}

/* ---- out of a file ---- */

struct copying {
	const struct mbox_message *m;
	struct arena *names;
	struct mbox_scan *check; /* hears every byte */
	struct mbox_unquote unquote;
	struct mbox_filter filter;
	struct buf text;
	char *bytes;
	int out;
	int64_t to;
};

static int
write_text(struct copying *c)
{
	if (c->text.n > 0 &&
	    fd_pwrite_all(c->out, c->text.p, c->text.n, (off_t)c->to) == -1)
		return -1;
	c->to += (int64_t)c->text.n;
	buf_reset(&c->text);
	return 0;
}

/* Bytes of the text, which are at c->bytes + MBOX_UNQUOTE_ROOM + skip. */
static void
take(struct copying *c, size_t skip, size_t n, bool last)
{
	struct span text;

	text = mbox_unquote(&c->unquote, c->bytes + skip, n, last);
	mbox_filter_feed(&c->filter, text, &c->text);
}

static int
copy_piece(struct copying *c, int file, int64_t at, size_t n)
{
	const struct mbox_message *m = c->m;
	char *p = c->bytes + MBOX_UNQUOTE_ROOM;
	int64_t from = at > m->text ? at : m->text, end = at + (int64_t)n;

	if (fd_pread_all(file, p, n, (off_t)at) == -1 ||
	    !mbox_scan_feed(c->check, p, n)) {
		errno = ESTALE;
		return -1;
	}
	if (end > m->text_end)
		end = m->text_end;
	if (from < end)
		take(c, (size_t)(from - at), (size_t)(end - from),
		    end == m->text_end);
	return write_text(c);
}

static bool
is_right(struct copying *c)
{
	const struct mbox_message *m;
	size_t count;

	if (!mbox_scan_end(c->check))
		return false;
	m = mbox_scan_messages(c->check, &count);
	return count == 1 &&
	    memcmp(m->digest, c->m->digest, MBOX_DIGEST_SIZE) == 0;
}

static int64_t
copy_all(struct copying *c, int file)
{
	const struct mbox_message *m = c->m;

	for (int64_t at = m->start; at < m->end;) {
		size_t n = m->end - at < CHUNK ? (size_t)(m->end - at) : CHUNK;

		if (copy_piece(c, file, at, n) == -1)
			return -1;
		at += (int64_t)n;
	}
	if (!is_right(c)) {
		errno = ESTALE;
		return -1;
	}
	mbox_filter_end(&c->filter, &c->text);
	if (write_text(c) == -1)
		return -1;
	return c->to;
}

int64_t
mbox_text_copy(int file, const struct mbox_message *m, int out)
{
	struct copying c = { .m = m, .out = out };
	int64_t result;
	int error;

	c.names = arena_new();
	c.check = mbox_scan_new(c.names);
	buf_init(&c.text, (size_t)4 * CHUNK);
	c.bytes = mem_resize(NULL, CHUNK + MBOX_UNQUOTE_ROOM);
	mbox_filter_init(&c.filter, MBOX_SHOWN);
	result = copy_all(&c, file);
	error = errno;
	free(c.bytes);
	buf_fini(&c.text);
	mbox_scan_free(&c.check);
	arena_free(&c.names);
	errno = error;
	return result;
}

int
mbox_text_file(int directory, int64_t size)
{
	static unsigned int number;
	char name[64];
	int fd;

	if (size <= IN_MEMORY_MAX)
		return memfd_create("message", MFD_CLOEXEC);
	fd = openat(directory, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	snprintf(name, sizeof(name), "text.%lld.%ld.%u",
	    (long long)clock_wall_us(), (long)process_id(), number++);
	fd = openat(directory, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd != -1)
		(void)!unlinkat(directory, name, 0);
	return fd;
}
