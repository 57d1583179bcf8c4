/* SPDX-License-Identifier: ISC */
#include "lib/store/deliver_copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"

enum {
	READ_SIZE = 65536,
	OUT_SIZE = 65536,
	START = 16, /* bytes of a line that tell what it is */
};

enum quote {
	QUOTE_NOTHING,
	QUOTE_FROM, /* lines that begin with "From " */
	QUOTE_ALL, /* and those that a reader would unquote: ">>From " */
};

struct copy {
	const char *line_end;
	enum quote quote;
	bool at_line_start;
	bool in_run; /* behind the ">" a line begins with */
	bool in_header; /* of the content, for an mbox */
	deliver_write *write;
	void *with;
	size_t n; /* in out */
	char out[OUT_SIZE + 64];
};

static int
flush(struct copy *c)
{
	size_t n = c->n;

	c->n = 0;
	return n > 0 ? c->write(c->with, c->out, n) : 0;
}

static int
put(struct copy *c, const char *data, size_t n)
{
	if (c->n + n > OUT_SIZE && flush(c) != 0)
		return -1;
	if (n > OUT_SIZE)
		return c->write(c->with, data, n);
	memcpy(c->out + c->n, data, n);
	c->n += n;
	return 0;
}

/* A piece of a line without its end. */
static int
put_text(struct copy *c, struct span text)
{
	if (text.n == 0)
		return 0;
	c->at_line_start = c->in_run = false;
	return put(c, text.p, text.n);
}

static int
end_line(struct copy *c)
{
	c->at_line_start = true;
	c->in_run = false;
	return put(c, c->line_end, strlen(c->line_end));
}

/*
 * In an mbox these fields are how programs keep flags and UIDs. In a message
 * that arrives they are its sender's, who must not mark it as deleted.
 */
static bool
is_kept_field(struct span line)
{
	static const char *const names[] = { "Status", "X-Status", "X-Keywords",
		"X-UID", "X-IMAP", "X-IMAPbase" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(names[i]);

		if (line.n > n &&
		    span_is_nocase(span_take(line, n), names[i]) &&
		    memchr(": \t", line.p[n], 3) != NULL)
			return true;
	}
	return false;
}

/* convert() sees to it that what tells is never split between two pieces. */
static int
start_line(struct copy *c, struct span rest)
{
	if (c->in_header && c->at_line_start && is_kept_field(rest))
		return put(c, "X-Sender-", 9);
	if (c->quote != QUOTE_NOTHING && (c->at_line_start || c->in_run) &&
	    span_starts(rest, "From "))
		return put(c, ">", 1);
	return 0;
}

/* One more ">" may go behind those that are there: nobody sees a difference. */
static int
put_run(struct copy *c, struct span *rest)
{
	size_t n = 0;
	int result;

	if (c->quote != QUOTE_ALL || !(c->at_line_start || c->in_run))
		return 0;
	while (n < rest->n && rest->p[n] == '>')
		n++;
	if (n == 0)
		return 0;
	result = put(c, rest->p, n);
	c->at_line_start = false;
	c->in_run = true;
	*rest = span_skip(*rest, n);
	return result;
}

/*
 * Converts what is there and says how much of it was used: some bytes at the
 * end wait for more, unless this is the last piece.
 */
static int
convert(struct copy *c, struct span in, bool last, size_t *used)
{
	struct span rest = in;

	while (rest.n > 0) {
		struct span text;
		bool whole;
		size_t n;

		if (put_run(c, &rest) != 0)
			return -1;
		n = span_find(rest, '\n');
		whole = n < rest.n;
		text = span_take(rest, n);
		if (!whole && !last && n < START)
			break;
		if (start_line(c, rest) != 0)
			return -1;
		if (text.n > 0 && text.p[text.n - 1] == '\r' &&
		    (whole || !last))
			text.n--;
		if (whole && text.n == 0 && c->at_line_start)
			c->in_header = false;
		if (put_text(c, text) != 0)
			return -1;
		if (!whole) {
			rest = span_skip(rest, text.n);
			break;
		}
		if (end_line(c) != 0)
			return -1;
		rest = span_skip(rest, n + 1);
	}
	*used = in.n - rest.n;
	return 0;
}

static int
convert_all(struct copy *c, const struct deliver_source *s)
{
	char *in = mem_resize(NULL, READ_SIZE);
	off_t at = s->offset, end = s->offset + s->size;
	size_t have = 0, used;
	int result = 0;

	while (result == 0 && (at < end || have > 0)) {
		size_t n = READ_SIZE - have;

		if ((off_t)n > end - at)
			n = (size_t)(end - at);
		if (fd_pread_all(s->fd, in + have, n, at) != 0) {
			result = -1;
			break;
		}
		at += (off_t)n;
		have += n;
		result =
		    convert(c, (struct span){ in, have }, at == end, &used);
		if (result == 0) {
			have -= used;
			memmove(in, in + used, have);
			/* the last piece is used up, whatever it holds */
			ensure(at < end || have == 0);
		}
	}
	if (result == 0 && !c->at_line_start)
		result = end_line(c);
	free(in);
	return result;
}

static int
copy_all(struct copy *c, const struct deliver_source *s)
{
	off_t at = s->offset, end = s->offset + s->size;

	while (at < end) {
		size_t n = OUT_SIZE - c->n;

		if ((off_t)n > end - at)
			n = (size_t)(end - at);
		if (n == 0) {
			if (flush(c) != 0)
				return -1;
			continue;
		}
		if (fd_pread_all(s->fd, c->out + c->n, n, at) != 0)
			return -1;
		c->n += n;
		at += (off_t)n;
	}
	return 0;
}

/* The delivery headers have CRLF, and never begin with "From ". */
static int
put_headers(struct copy *c, struct span headers)
{
	struct span line;

	while (span_cut(&headers, "\n", false, &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (put_text(c, line) != 0 || end_line(c) != 0)
			return -1;
	}
	return 0;
}

static int
each(const struct deliver_source *s, const char *line_end, enum quote quote,
    deliver_write *write, void *with)
{
	struct copy *c = mem_new(sizeof(*c));
	bool as_is = strcmp(line_end, "\r\n") == 0 && quote == QUOTE_NOTHING;
	int result;

	c->line_end = line_end;
	c->quote = quote;
	c->at_line_start = true;
	c->write = write;
	c->with = with;
	result = put_headers(c, s->headers);
	c->in_header = quote == QUOTE_ALL;
	if (result == 0)
		result = as_is ? copy_all(c, s) : convert_all(c, s);
	if (result == 0)
		result = flush(c);
	free(c);
	return result;
}

int
deliver_each(const struct deliver_source *s, const char *line_end,
    bool quote_from, deliver_write *write, void *with)
{
	return each(s, line_end, quote_from ? QUOTE_FROM : QUOTE_NOTHING, write,
	    with);
}

int
deliver_each_form(const struct deliver_source *s, enum deliver_form form,
    deliver_write *write, void *with)
{
	return each(s, form == DELIVER_CRLF ? "\r\n" : "\n",
	    form == DELIVER_MBOX ? QUOTE_ALL : QUOTE_NOTHING, write, with);
}

struct to_file {
	int fd;
	off_t left; /* -1: no limit */
};

static int
write_file(void *with, const void *data, size_t n)
{
	struct to_file *t = with;

	if (t->left >= 0 && (off_t)n > t->left) {
		errno = EFBIG;
		return -1;
	}
	if (t->left >= 0)
		t->left -= (off_t)n;
	return fd_write_all(t->fd, data, n);
}

int
deliver_copy(const struct deliver_source *s, enum deliver_form form,
    off_t limit, int to)
{
	struct to_file t = { .fd = to, .left = limit > 0 ? limit : -1 };

	return deliver_each_form(s, form, write_file, &t);
}

const char *
deliver_failure_code(int error)
{
	switch (error) {
	case EFBIG:
		return "5.2.2";
	case EDQUOT:
		return "4.2.2";
	case ENOSPC:
	case EIO:
	case EROFS:
	case ESHUTDOWN:
		return "4.3.0";
	}
	return "4.2.0";
}
