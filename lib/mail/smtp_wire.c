/* SPDX-License-Identifier: ISC */
#include "lib/mail/smtp_wire.h"

#include <string.h>

enum { LEAST_LIMIT = 8 }; /* room for a space and any UTF-8 character */

void
smtp_wire_init(struct smtp_wire *w, size_t limit, smtp_wire_sink *sink,
    void *with)
{
	*w = (struct smtp_wire){ .sink = sink,
		.with = with,
		.limit = limit == 0     ? (size_t)-1 :
		    limit < LEAST_LIMIT ? LEAST_LIMIT :
					  limit };
}

static void
emit(struct smtp_wire *w, const char *p, size_t n)
{
	if (n > 0)
		w->sink(w->with, (struct span){ p, n });
}

static void
end_line(struct smtp_wire *w)
{
	emit(w, "\r\n", 2);
	w->column = 0;
}

static void
fold(struct smtp_wire *w)
{
	emit(w, "\r\n ", 3);
	w->column = 1;
}

/*
 * Bytes of whole clean lines at the front of "in": each ends with CRLF, has
 * no other CR, is within the limit and begins with no dot. Nearly all content
 * is this.
 */
static size_t
clean_lines(const struct smtp_wire *w, struct span in)
{
	const char *p = in.p, *end = in.p + in.n;

	while (p < end && *p != '.') {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		if (lf == NULL || lf == p || lf[-1] != '\r' ||
		    (size_t)(lf - p) - 1 > w->limit ||
		    memchr(p, '\r', (size_t)(lf - p)) != lf - 1)
			break;
		p = lf + 1;
	}
	return (size_t)(p - in.p);
}

/* Text of one line, no CR, no LF. */
static void
put_text(struct smtp_wire *w, const char *p, size_t n)
{
	while (n > 0) {
		size_t room = w->limit - w->column, part = n;

		if (w->column == 0 && *p == '.')
			emit(w, ".", 1);
		if (room == 0) {
			fold(w);
			continue;
		}
		if (part > room) {
			part = room;
			/* not between the bytes of one character */
			for (int i = 0; i < 3 && part > 1 &&
			     ((unsigned char)p[part] & 0xc0) == 0x80;
			     i++)
				part--;
		}
		emit(w, p, part);
		w->column += part;
		p += part;
		n -= part;
		if (n > 0)
			fold(w);
	}
}

/* The byte behind a CR that was held back; true if it was taken. */
static bool
after_cr(struct smtp_wire *w, char c)
{
	w->held_cr = false;
	if (c == '\n') {
		end_line(w);
		return true;
	}
	put_text(w, " ", 1);
	return false;
}

void
smtp_wire_put(struct smtp_wire *w, struct span in)
{
	while (in.n > 0) {
		size_t n = 0;

		if (w->held_cr && after_cr(w, in.p[0])) {
			in = span_skip(in, 1);
			continue;
		}
		if (w->column == 0 && (n = clean_lines(w, in)) > 0) {
			emit(w, in.p, n);
			in = span_skip(in, n);
			continue;
		}
		while (n < in.n && in.p[n] != '\r' && in.p[n] != '\n')
			n++;
		put_text(w, in.p, n);
		in = span_skip(in, n);
		if (in.n == 0)
			break;
		if (in.p[0] == '\r')
			w->held_cr = true;
		else
			end_line(w);
		in = span_skip(in, 1);
	}
}

void
smtp_wire_end(struct smtp_wire *w)
{
	if (w->held_cr) /* a lone CR at the very end is a cut CRLF */
		w->held_cr = false, end_line(w);
	else if (w->column > 0)
		end_line(w);
}
