/* SPDX-License-Identifier: ISC */
#include "lib/mail/mime_walk.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/mail/header.h"

enum {
	BOUNDARY_MAX = 200, /* RFC 2046 allows 70; some write more */
	/* "--", boundary, "--" and some blanks */
	BOUNDARY_LINE_MAX = BOUNDARY_MAX + 64,
	VALUE_MAX = 8192,
	SPARE_DEPTH = 2, /* Postfix takes so many beyond its limit */
};

struct level {
	struct mime_entity e;
	char boundary[BOUNDARY_MAX + 1]; /* "" when none is awaited (more) */
	bool digest;
};

struct mime_walk {
	const struct mime_events *events;
	void *with;
	struct level *stack;
	size_t depth; /* levels in use */
	size_t room;
	size_t limit; /* of multiparts that are open */
	size_t entities;
	bool in_header;
	bool over; /* a limit was passed */
	struct buf header; /* fields so far */
	/*
	 * The line that is being read: kept in a header, and in a body as
	 * long as it may be a boundary; else only its CR is held back.
	 */
	struct buf line;
	bool passing; /* the line's beginning was given out */
	bool held_cr;
};

static struct level *
top(struct mime_walk *w)
{
	return &w->stack[w->depth - 1];
}

static void
begin_entity(struct mime_walk *w, bool message, bool signed_over)
{
	struct level *l;

	if (w->depth == w->room) {
		w->room = w->room ? w->room * 2 : 4;
		w->stack = mem_resize(w->stack, w->room * sizeof(*w->stack));
	}
	l = &w->stack[w->depth++];
	memset(l, 0, sizeof(*l));
	l->e.number = w->entities++;
	l->e.message = message;
	l->e.header_signed = l->e.signed_over = signed_over;
	w->in_header = true;
	buf_reset(&w->header);
	if (w->entities > MIME_ENTITIES_MAX)
		w->over = true;
}

struct mime_walk *
mime_walk_new(const struct mime_events *events, void *with)
{
	struct mime_walk *w = mem_new(sizeof(*w));

	w->events = events;
	w->with = with;
	w->limit = MIME_DEPTH_MAX;
	buf_init(&w->header, MIME_HEADER_MAX);
	buf_init(&w->line, MIME_HEADER_MAX);
	begin_entity(w, true, false);
	return w;
}

void
mime_walk_depth(struct mime_walk *w, size_t depth)
{
	w->limit = depth;
}

void
mime_walk_free(struct mime_walk **wp)
{
	struct mime_walk *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	buf_fini(&w->header);
	buf_fini(&w->line);
	free(w->stack);
	free(w);
}

/* Takes blanks and (nested comments) off the front. */
static void
skip_space(struct span *s)
{
	int depth = 0;

	while (s->n > 0) {
		char c = s->p[0];

		if (c == '\\' && depth > 0)
			*s = span_skip(*s, 1);
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && !strchr(" \t\r\n", c))
			return;
		*s = span_skip(*s, 1);
	}
}

/* RFC 2045 section 5.1. */
static struct span
take_token(struct span *s)
{
	size_t n = 0;
	struct span token;

	skip_space(s);
	while (n < s->n && (unsigned char)s->p[n] > ' ' &&
	    strchr("()<>@,;:\\\"/[]?=", s->p[n]) == NULL)
		n++;
	token = span_take(*s, n);
	*s = span_skip(*s, n);
	return token;
}

static bool
take_char(struct span *s, char c)
{
	skip_space(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* A token or a quoted string; tokens may hold what they should not. */
static void
take_value(struct span *s, struct buf *out)
{
	skip_space(s);
	if (s->n == 0 || s->p[0] != '"') {
		while (s->n > 0 && strchr("; \t\r\n", s->p[0]) == NULL) {
			buf_add_char(out, s->p[0]);
			*s = span_skip(*s, 1);
		}
		return;
	}
	*s = span_skip(*s, 1);
	while (s->n > 0 && s->p[0] != '"') {
		if (s->p[0] == '\\' && s->n > 1)
			*s = span_skip(*s, 1);
		if (s->p[0] != '\r' && s->p[0] != '\n')
			buf_add_char(out, s->p[0]);
		*s = span_skip(*s, 1);
	}
	*s = span_skip(*s, 1);
}

static bool
take_boundary(struct span params, char out[BOUNDARY_MAX + 1])
{
	while (take_char(&params, ';') || params.n > 0) {
		struct buf value = BUF_INIT(BOUNDARY_MAX);
		struct span name = take_token(&params);
		bool found;

		if (!take_char(&params, '=')) {
			params = span_skip(params, name.n == 0);
			continue;
		}
		take_value(&params, &value);
		found = span_is_nocase(name, "boundary") && value.n > 0 &&
		    !value.overflow;
		while (found && value.n > 0 &&
		    (value.p[value.n - 1] == ' ' ||
			value.p[value.n - 1] == '\t'))
			value.p[--value.n] = '\0';
		if (found && value.n > 0) {
			memcpy(out, value.p, value.n);
			out[value.n] = '\0';
		}
		buf_fini(&value);
		if (found)
			return out[0] != '\0';
	}
	return false;
}

static void
read_type(struct level *l, struct span value)
{
	struct span type = take_token(&value), subtype = SPAN("");

	if (take_char(&value, '/'))
		subtype = take_token(&value);
	l->e.has_type = true;
	/* RFC 6532 section 3.7: a message/global may be encoded */
	l->e.composite = span_is_nocase(type, "multipart") ||
	    (span_is_nocase(type, "message") &&
		span_is_nocase(subtype, "rfc822"));
	l->e.fragment = span_is_nocase(type, "message") &&
	    (span_is_nocase(subtype, "partial") ||
		span_is_nocase(subtype, "external-body"));
	l->e.kind = span_is_nocase(type, "text") ? MIME_TEXT : MIME_OTHER;
	if (span_is_nocase(type, "multipart") &&
	    take_boundary(value, l->boundary)) {
		l->e.kind = MIME_MULTIPART;
		l->digest = span_is_nocase(subtype, "digest");
		if (span_is_nocase(subtype, "signed"))
			l->e.signed_over = true;
	} else if (span_is_nocase(type, "message")) {
		l->e.kind = span_is_nocase(subtype, "rfc822") ||
			span_is_nocase(subtype, "global") ||
			span_is_nocase(subtype, "news") ?
		    MIME_MESSAGE :
		    span_is_nocase(subtype, "partial") ? MIME_OPAQUE :
							 MIME_TEXT;
	}
}

static enum mime_encoding
read_encoding(struct span value)
{
	static const struct {
		const char *name;
		enum mime_encoding encoding;
	} names[] = {
#define ENCODING(name, decoding, encoding) { name, encoding },
#include "lib/mail/mime_encodings.def"
#undef ENCODING
	};
	struct span token = take_token(&value);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is_nocase(token, names[i].name))
			return names[i].encoding;
	return MIME_UNKNOWN;
}

/*
 * Of fields that are there twice, the last one counts, but an encoding that
 * nobody knows does not undo one that we do.
 */
static void
set_encoding(struct mime_entity *e, enum mime_encoding encoding)
{
	if (encoding != MIME_UNKNOWN || !e->has_encoding)
		e->encoding = encoding;
	e->has_encoding = true;
}

static void
read_fields(struct mime_walk *w, struct level *l)
{
	struct span rest = buf_span(&w->header), type = SPAN("");
	struct header_field f;

	if (!l->e.message && w->depth > 1 && w->stack[w->depth - 2].digest) {
		l->e.kind = MIME_MESSAGE; /* RFC 2046 section 5.1.5 */
		l->e.composite = true;
	}
	while (header_next(&rest, true, &f) == HEADER_FIELD) {
		if (header_is(&f, "Content-Type")) {
			type = f.value;
			l->e.has_type = true;
		} else if (header_is(&f, "Content-Transfer-Encoding")) {
			set_encoding(&l->e, read_encoding(f.value));
		} else if (header_is(&f, "MIME-Version")) {
			l->e.has_version = true;
		}
	}
	if (l->e.has_type)
		read_type(l, type);
}

/*
 * A composite one is encoded only by those who do not know better; what we do
 * not know is none of the encodings that hide its parts.
 */
static bool
readable(enum mime_encoding e)
{
	return e != MIME_QUOTED_PRINTABLE && e != MIME_BASE64;
}

/* What holds others may have to be taken as it is. */
static void
close_unreadable(struct mime_walk *w, struct level *l)
{
	bool holds = l->e.kind == MIME_MULTIPART || l->e.kind == MIME_MESSAGE;

	if (holds && !readable(l->e.encoding)) {
		l->e.kind = MIME_OTHER;
	} else if (l->e.kind == MIME_MULTIPART &&
	    w->depth > w->limit + SPARE_DEPTH) {
		l->e.kind = MIME_OPAQUE;
		l->e.too_deep = true;
	} else {
		return;
	}
	l->boundary[0] = '\0';
	l->digest = false;
}

static void
end_header(struct mime_walk *w, bool empty)
{
	struct level *l = top(w);
	bool message, signed_over;

	read_fields(w, l);
	close_unreadable(w, l);
	message = l->e.kind == MIME_MESSAGE;
	signed_over = l->e.signed_over;
	w->in_header = false;
	w->events->header(w->with, &l->e, buf_span(&w->header), empty);
	if (!message)
		return;
	w->depth--; /* it has no end of its own: in its place */
	begin_entity(w, true, signed_over);
}

/* The level this line is a boundary of, -1 if of none. */
static int
boundary_level(const struct mime_walk *w, struct span line, bool *closing)
{
	if (!span_starts(line, "--"))
		return -1;
	for (size_t i = w->depth; i-- > 0;) {
		const char *b = w->stack[i].boundary;
		struct span rest = span_skip(line, 2);

		if (b[0] == '\0' || !span_starts(rest, b))
			continue;
		rest = span_skip(rest, strlen(b));
		*closing = span_starts(rest, "--");
		if (*closing)
			rest = span_skip(rest, 2);
		/* RFC 2046 section 5.1.1: blanks may follow */
		if (span_trim(rest).n == 0)
			return (int)i;
	}
	return -1;
}

static void
take_boundary_line(struct mime_walk *w, size_t level, bool closing)
{
	bool signed_over;

	/* parts within end with it, even if their own ends are missing */
	if (w->in_header)
		end_header(w, false);
	w->depth = level + 1;
	w->in_header = false;
	w->events->boundary(w->with, span_trim(buf_span(&w->line)));
	if (closing) {
		top(w)->boundary[0] = '\0';
		return;
	}
	signed_over = top(w)->e.signed_over;
	begin_entity(w, false, signed_over);
}

static bool
is_field_or_fold(const struct mime_walk *w, struct span line)
{
	struct header_field f;
	struct span rest = line;

	if (w->header.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
		return true;
	return header_next(&rest, true, &f) == HEADER_FIELD;
}

static void
body_line(struct mime_walk *w, struct span line, bool ended, bool crlf)
{
	const struct mime_entity *e = &top(w)->e;

	if (line.n > 0)
		w->events->text(w->with, e, line);
	if (ended)
		w->events->line_end(w->with, e, crlf);
}

/* A whole line, in w->line without its end. "ended": it had one. */
static void
take_line(struct mime_walk *w, bool ended, bool crlf)
{
	struct span line = buf_span(&w->line);
	bool closing = false;
	int level = w->passing ? -1 : boundary_level(w, line, &closing);

	if (level >= 0) {
		take_boundary_line(w, (size_t)level, closing);
		/* its own end, as the first thing after it */
		if (ended)
			w->events->line_end(w->with, NULL, crlf);
	} else if (!w->in_header) {
		body_line(w, line, ended, crlf);
	} else if (line.n == 0 && ended) {
		end_header(w, true);
	} else if (line.n > 0 && is_field_or_fold(w, line)) {
		if (!buf_add_span(&w->header, line) ||
		    (ended && !buf_add_text(&w->header, crlf ? "\r\n" : "\n")))
			w->over = true;
	} else if (line.n > 0) {
		/* no empty line: this is the body's first (header.h) */
		end_header(w, false);
		if (w->in_header) /* of the message inside */
			take_line(w, ended, crlf);
		else
			body_line(w, line, ended, crlf);
	}
	w->passing = false;
	buf_reset(&w->line);
}

/* May what is kept of this line still become a boundary line? */
static bool
may_be_boundary(const struct mime_walk *w)
{
	struct span line = buf_span(&w->line);

	if (line.n > BOUNDARY_LINE_MAX)
		return false;
	return line.n == 0 ||
	    (line.p[0] == '-' && (line.n == 1 || line.p[1] == '-'));
}

/* A piece of a line, no LF in it. */
static void
take_piece(struct mime_walk *w, struct span piece)
{
	if (piece.n == 0)
		return;
	if (!w->in_header && w->passing) {
		w->events->text(w->with, &top(w)->e, piece);
		return;
	}
	if (w->in_header) {
		if (!buf_add_span(&w->line, piece))
			w->over = true;
		return;
	}
	/* enough of it to see whether it can be a boundary */
	while (piece.n > 0 && may_be_boundary(w)) {
		buf_add_char(&w->line, piece.p[0]);
		piece = span_skip(piece, 1);
	}
	if (may_be_boundary(w))
		return;
	body_line(w, buf_span(&w->line), false, false);
	buf_reset(&w->line);
	w->passing = true;
	take_piece(w, piece);
}

bool
mime_walk_put(struct mime_walk *w, struct span in)
{
	while (in.n > 0 && !w->over) {
		size_t n = span_find(in, '\n');
		struct span piece = span_take(in, n);
		bool ended = n < in.n, crlf;

		if (w->held_cr && !(ended && piece.n == 0)) {
			w->held_cr = false;
			take_piece(w, SPAN("\r"));
		}
		crlf = w->held_cr;
		if (piece.n > 0 && piece.p[piece.n - 1] == '\r') {
			piece.n--;
			crlf = ended;
			w->held_cr = !ended;
		}
		take_piece(w, piece);
		if (ended) {
			w->held_cr = false;
			take_line(w, true, crlf);
		}
		in = span_skip(in, n + 1);
	}
	return !w->over;
}

bool
mime_walk_end(struct mime_walk *w)
{
	if (w->over)
		return false;
	if (w->held_cr)
		take_piece(w, SPAN("\r"));
	w->held_cr = false;
	if (w->line.n > 0)
		take_line(w, false, false);
	while (w->in_header && !w->over)
		end_header(w, false);
	return !w->over;
}
