/* SPDX-License-Identifier: ISC */
#include "lib/mail/smtp_content.h"

#include <string.h>

static const struct span crlf = { "\r\n", 2 };
static const struct span space = { " ", 1 };
static const struct span dot = { ".", 1 };

static void
take(struct span *in, size_t n)
{
	*in = span_skip(*in, n);
}

/*
 * How far one look goes: what is nothing but CR, or nothing but LF, must not
 * have all the rest searched for the other one at every byte.
 */
enum { LOOK = 1024 };

/*
 * Length of the clean text at the front: whole CRLF lines, as long as the
 * next does not begin with a dot, and the start of a line. Stops before the
 * first CR or LF that needs a closer look.
 */
static size_t
clean_length(struct span in, bool *at_line)
{
	size_t done = 0;

	*at_line = false;
	while (done < in.n) {
		const char *line = in.p + done;
		size_t left = in.n - done < LOOK ? in.n - done : LOOK;
		const char *lf = memchr(line, '\n', left);
		const char *cr =
		    memchr(line, '\r', lf ? (size_t)(lf - line) : left);

		if (cr == NULL && lf == NULL) {
			*at_line = false;
			done += left;
			continue;
		}
		if (cr == NULL)
			cr = lf; /* bare */
		if (cr + 1 == in.p + in.n || cr[0] == '\n' || cr[1] != '\n') {
			*at_line = false;
			return (size_t)(cr - in.p);
		}
		done = (size_t)(cr + 2 - in.p);
		*at_line = true;
		if (done < in.n && in.p[done] == '.')
			break;
	}
	return done;
}

/* Within a line: everything clean at once, or one irregular line end. */
static enum smtp_content_event
text(struct smtp_content *c, struct span *in, struct span *out)
{
	bool at_line;
	size_t n = clean_length(*in, &at_line);

	if (n > 0) {
		*out = span_take(*in, n);
		take(in, n);
		c->state = at_line ? CONTENT_LINE : CONTENT_TEXT;
		return CONTENT_DATA;
	}
	if (in->p[0] == '\n') {
		take(in, 1);
		c->bare_lf = true;
		c->state = CONTENT_LINE_LF;
		*out = crlf;
		return CONTENT_DATA;
	}
	take(in, 1);
	c->state = CONTENT_CR;
	return CONTENT_NEED;
}

/* A CR was held back: with LF a line end, else a stray one. */
static void
after_cr(struct smtp_content *c, struct span *in, struct span *out)
{
	if (in->p[0] == '\n') {
		take(in, 1);
		c->state = CONTENT_LINE;
		*out = crlf;
		return;
	}
	c->bare_cr = true;
	c->state = CONTENT_TEXT;
	*out = space;
}

/* CRLF "." CR was held back. */
static enum smtp_content_event
after_dot_cr(struct smtp_content *c, struct span *in, struct span *out)
{
	if (in->p[0] == '\n') {
		take(in, 1);
		c->state = CONTENT_ENDED;
		return CONTENT_END;
	}
	c->bare_cr = true;
	c->state = CONTENT_TEXT;
	*out = space;
	return CONTENT_DATA;
}

/* The first byte of a line: a dot is held back. */
static void
begin_line(struct smtp_content *c, struct span *in)
{
	enum smtp_content_state held =
	    c->state == CONTENT_LINE ? CONTENT_DOT : CONTENT_DOT_LF;

	if (c->counted || in->p[0] != '.') {
		c->state = CONTENT_TEXT;
		return;
	}
	take(in, 1);
	c->state = held;
}

enum smtp_content_event
smtp_content_next(struct smtp_content *c, struct span *in, struct span *out)
{
	while (in->n > 0) {
		switch (c->state) {
		case CONTENT_LINE:
		case CONTENT_LINE_LF:
			begin_line(c, in);
			break;
		case CONTENT_TEXT:
			if (text(c, in, out) == CONTENT_DATA)
				return CONTENT_DATA;
			break;
		case CONTENT_CR:
			after_cr(c, in, out);
			return CONTENT_DATA;
		case CONTENT_DOT:
			c->state = CONTENT_TEXT;
			if (in->p[0] == '\r') {
				take(in, 1);
				c->state = CONTENT_DOT_CR;
			}
			break;
		case CONTENT_DOT_CR:
			return after_dot_cr(c, in, out);
		case CONTENT_DOT_LF:
			c->state = CONTENT_TEXT;
			if (in->p[0] == '.')
				break;
			*out = dot;
			return CONTENT_DATA;
		case CONTENT_ENDED:
			return CONTENT_END;
		}
	}
	return c->state == CONTENT_ENDED ? CONTENT_END : CONTENT_NEED;
}

bool
smtp_content_finish(struct smtp_content *c, struct span *out)
{
	bool stray = c->state == CONTENT_CR;

	if (!stray && c->state != CONTENT_TEXT)
		return false;
	c->bare_cr |= stray;
	c->state = CONTENT_ENDED;
	*out = stray ? (struct span){ " \r\n", 3 } : crlf;
	return true;
}
