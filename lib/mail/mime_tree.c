/* SPDX-License-Identifier: ISC */
/*
 * Line by line with memchr(3), without a call per line: in bodies only lines
 * that begin with "--" are looked at, and only where a boundary is awaited.
 *
 * SECURITY: whole messages of strangers. Nothing here recurses; parts, depth,
 * and bytes of texts are limited; the tree is made by appending children to
 * the part on top of a stack, so it has no cycles. Time is linear: a line is
 * compared with at most MIME_TREE_DEPTH_MAX boundaries.
 */
#include "lib/mail/mime_tree.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/mail/header.h"
#include "lib/mail/mime_fields.h"
#include "lib/mail/mime_tree_private.h"

enum {
	BOUNDARY_MAX = 200, /* RFC 2046 allows 70; some write more */
	/* "--", boundary, "--", some blanks and the line end */
	BOUNDARY_LINE_MAX = BOUNDARY_MAX + 66,
};

/* A place in the message, and what was counted up to there. */
struct mark {
	uint64_t at;
	uint64_t lines; /* line ends */
	uint64_t bare; /* those that are no CRLF */
};

struct level {
	struct mime_part *part;
	struct mime_part **link; /* where its next child goes */
	struct mark body;
	struct span boundary; /* p NULL: none is awaited (any more) */
	bool digest;
};

struct mime_tree_builder {
	struct mime_tree *tree;
	size_t budget; /* left for texts */
	struct level stack[MIME_TREE_DEPTH_MAX];
	size_t depth; /* levels in use */
	size_t awaited; /* levels with a boundary */
	struct mark now; /* where the next byte, or kept line, begins */
	unsigned int line_end; /* bytes of the last line's end */
	bool in_header;
	struct mark header; /* where it begins */
	uint64_t envelope_line; /* bytes before its first field */
	/* its text: in the bytes being put, or kept */
	struct span direct;
	struct buf kept;
	/* a line of which only the beginning has come */
	struct buf line;
	bool passing; /* its beginning was dealt with */
	bool passed_cr; /* and the last byte of it was CR */
};

static struct level *
top(struct mime_tree_builder *b)
{
	return &b->stack[b->depth - 1];
}

/* There is room for it: the caller has looked. */
static void
begin_part(struct mime_tree_builder *b)
{
	struct level *parent = b->depth > 0 ? top(b) : NULL;
	struct level *l = &b->stack[b->depth++];
	struct mime_part *p = arena_alloc(b->tree->arena, sizeof(*p));

	ensure(b->depth <= MIME_TREE_DEPTH_MAX);
	memset(l, 0, sizeof(*l));
	l->part = p;
	l->link = &p->children;
	if (parent != NULL) {
		p->parent = parent->part;
		*parent->link = p;
		parent->link = &p->next;
	} else {
		b->tree->root = p;
	}
	b->tree->parts++;
	b->in_header = true;
	b->header = b->now;
	b->envelope_line = 0;
	b->direct = (struct span){ NULL, 0 };
	buf_reset(&b->kept);
}

struct mime_tree_builder *
mime_tree_begin(void)
{
	struct mime_tree_builder *b = mem_new(sizeof(*b));

	b->tree = mime_tree_new();
	b->budget = MIME_TREE_TEXTS_MAX;
	buf_init(&b->kept, MIME_TREE_HEADER_MAX);
	buf_init(&b->line, MIME_TREE_HEADER_MAX);
	begin_part(b);
	return b;
}

static void
end_awaiting(struct mime_tree_builder *b, struct level *l)
{
	b->awaited -= l->boundary.p != NULL;
	l->boundary.p = NULL;
}

/*
 * It is a leaf after all. Its parameters belonged to what it said it was.
 */
static void
make_leaf(struct mime_part *p, const char *type, const char *subtype)
{
	p->type = span_of(type);
	p->subtype = span_of(subtype);
	p->parameters = NULL;
	p->parameter_count = 0;
	p->multipart = p->message = false;
}

static void
end_part(struct mime_tree_builder *b, struct mark end)
{
	struct level *l = top(b);
	struct mime_part *p = l->part;

	end_awaiting(b, l);
	p->body_size = end.at - l->body.at;
	p->body_lines = end.lines - l->body.lines;
	p->body_sent = p->body_size + (end.bare - l->body.bare);
	if (p->multipart && p->children == NULL)
		make_leaf(p, "text", "plain");
	b->depth--;
}

static bool
has_room(const struct mime_tree_builder *b)
{
	return b->depth < MIME_TREE_DEPTH_MAX &&
	    b->tree->parts < MIME_TREE_PARTS_MAX;
}

/* A part that holds others begins to be one, if that may still be. */
static void
open_composite(struct mime_tree_builder *b, struct level *l,
    struct span boundary)
{
	struct mime_part *p = l->part;

	if (!has_room(b)) {
		make_leaf(p, "application", "octet-stream");
	} else if (p->message) {
		begin_part(b);
	} else if (boundary.p == NULL || boundary.n > BOUNDARY_MAX) {
		make_leaf(p, "text", "plain");
	} else {
		l->boundary = boundary;
		l->digest = span_is(p->subtype, "digest");
		b->awaited++;
	}
}

static struct span
header_text(const struct mime_tree_builder *b)
{
	struct span text = b->kept.n > 0 ? buf_span(&b->kept) : b->direct;

	return span_take(text, MIME_TREE_HEADER_MAX);
}

/* b->now is behind it. */
static void
end_header(struct mime_tree_builder *b)
{
	struct level *l = top(b);
	struct mime_part *p = l->part;
	struct level *parent = b->depth > 1 ? l - 1 : NULL;
	struct mime_fields f = {
		.arena = b->tree->arena,
		.budget = &b->budget,
		.message = parent == NULL || parent->part->message,
		.digest = parent != NULL && parent->digest,
	};
	struct span boundary;

	b->in_header = false;
	mime_fields_read(&f, header_text(b), p, &boundary);
	p->has_header = b->now.at > b->header.at;
	p->header_at = b->header.at;
	p->header_size = b->now.at - b->header.at;
	p->header_sent = p->header_size + (b->now.bare - b->header.bare);
	p->body_at = b->now.at;
	l->body = b->now;
	if (p->multipart || p->message)
		open_composite(b, l, boundary);
}

/* The place before the last line's end: that belongs to a boundary. */
static struct mark
before_line_end(const struct mime_tree_builder *b)
{
	return (struct mark){
		.at = b->now.at - b->line_end,
		.lines = b->now.lines - (b->line_end > 0),
		.bare = b->now.bare - (b->line_end == 1),
	};
}

static void
pass_line(struct mime_tree_builder *b, size_t n, unsigned int line_end)
{
	b->now.at += n;
	b->now.lines += line_end > 0;
	b->now.bare += line_end == 1;
	b->line_end = line_end;
}

/* What ends this line: 0, 1 or 2 bytes. */
static unsigned int
line_end_of(struct span line)
{
	if (line.n == 0 || line.p[line.n - 1] != '\n')
		return 0;
	return line.n > 1 && line.p[line.n - 2] == '\r' ? 2 : 1;
}

/* The level this line is a boundary of; NULL: none. */
static struct level *
boundary_level(struct mime_tree_builder *b, struct span line, bool *closing)
{
	if (b->awaited == 0 || line.n > BOUNDARY_LINE_MAX || line.n < 3 ||
	    line.p[0] != '-' || line.p[1] != '-')
		return NULL;
	line = span_skip(line, 2);
	for (size_t i = b->depth; i-- > 0;) {
		struct span is = b->stack[i].boundary, rest;

		if (is.p == NULL || line.n < is.n ||
		    memcmp(line.p, is.p, is.n) != 0)
			continue;
		rest = span_skip(line, is.n);
		*closing = span_starts(rest, "--");
		if (*closing)
			rest = span_skip(rest, 2);
		/* RFC 2046 section 5.1.1: blanks may follow */
		if (span_trim(rest).n == 0)
			return &b->stack[i];
	}
	return NULL;
}

/* Parts within "level" end here, even if their own ends are missing. */
static void
take_boundary(struct mime_tree_builder *b, struct level *level, bool closing,
    struct span line)
{
	bool nothing = b->in_header || top(b)->body.at == b->now.at;
	struct mark end = nothing ? b->now : before_line_end(b);

	while (b->in_header) {
		/* a message within may begin, and end here as well */
		end_header(b);
	}
	while (top(b) != level)
		end_part(b, end);
	pass_line(b, line.n, line_end_of(line));
	if (closing)
		end_awaiting(b, level);
	else if (has_room(b))
		begin_part(b);
	else
		end_awaiting(b, level); /* the rest is its epilogue */
}

static void
keep_header_line(struct mime_tree_builder *b, struct span line, bool in_piece)
{
	if (in_piece && b->kept.n == 0 &&
	    (b->direct.p == NULL || b->direct.p + b->direct.n == line.p)) {
		if (b->direct.p == NULL)
			b->direct.p = line.p;
		b->direct.n += line.n;
		return;
	}
	if (b->direct.n > 0)
		buf_add_span(&b->kept,
		    span_take(b->direct, MIME_TREE_HEADER_MAX));
	b->direct = (struct span){ NULL, 0 };
	buf_add_span(&b->kept,
	    span_take(line, MIME_TREE_HEADER_MAX - b->kept.n));
}

/* Does this line belong to the header (and is not empty)? */
static bool
is_header_line(const struct mime_tree_builder *b, struct span line)
{
	struct header_field f;

	line = span_take(line, MIME_TREE_HEADER_MAX);
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return b->now.at > b->header.at + b->envelope_line;
	return header_next(&line, true, &f) == HEADER_FIELD;
}

/* header.h: the first line of a message that was in a mailbox file. */
static bool
is_envelope_line(const struct mime_tree_builder *b, struct span line)
{
	struct span rest = line;

	return b->now.at == 0 && header_skip_envelope(&rest, true) &&
	    rest.n == 0;
}

static bool
is_empty_line(struct span line)
{
	return line.p[0] == '\n' ||
	    (line.n == 2 && line.p[0] == '\r' && line.p[1] == '\n');
}

/*
 * A line, or its first MIME_TREE_HEADER_MAX bytes, with its end if it has
 * one.
 */
static void
take_line(struct mime_tree_builder *b, struct span line, bool in_piece)
{
	bool closing;
	struct level *level = boundary_level(b, line, &closing);

	if (level != NULL) {
		take_boundary(b, level, closing, line);
		return;
	}
	if (b->in_header && is_empty_line(line)) {
		pass_line(b, line.n, line_end_of(line));
		end_header(b);
		return;
	}
	if (b->in_header && is_envelope_line(b, line)) {
		b->envelope_line = line.n;
		pass_line(b, line.n, line_end_of(line));
		return;
	}
	if (b->in_header && is_header_line(b, line)) {
		keep_header_line(b, line, in_piece);
		pass_line(b, line.n, line_end_of(line));
		return;
	}
	/*
	 * No empty line: this is the body's first (header.h). It may be a
	 * boundary, or of a message within the header's first.
	 */
	if (b->in_header) {
		end_header(b);
		take_line(b, line, in_piece);
		return;
	}
	pass_line(b, line.n, line_end_of(line));
}

/* May this beginning of a line be dropped, because it decides nothing? */
static bool
decides_nothing(const struct mime_tree_builder *b, struct span start)
{
	if (b->in_header)
		return start.n >= MIME_TREE_HEADER_MAX;
	return b->awaited == 0 || start.n >= BOUNDARY_LINE_MAX ||
	    (start.n > 0 && start.p[0] != '-') ||
	    (start.n > 1 && start.p[1] != '-');
}

/* A piece of a line whose beginning was dealt with. */
static void
pass_piece(struct mime_tree_builder *b, struct span piece)
{
	bool ended = piece.n > 0 && piece.p[piece.n - 1] == '\n';
	bool crlf = ended &&
	    (piece.n > 1 ? piece.p[piece.n - 2] == '\r' : b->passed_cr);

	if (piece.n == 0)
		return;
	if (b->in_header && b->kept.n < MIME_TREE_HEADER_MAX)
		keep_header_line(b, piece, false);
	pass_line(b, piece.n, ended ? 1 + crlf : 0);
	b->passed_cr = piece.p[piece.n - 1] == '\r';
	b->passing = !ended;
}

/* A line's beginning (or more of it) at the end of what was put. */
static void
take_beginning(struct mime_tree_builder *b, struct span piece)
{
	struct span start;
	size_t room = MIME_TREE_HEADER_MAX - b->line.n;

	buf_add_span(&b->line, span_take(piece, room));
	start = buf_span(&b->line);
	if (!decides_nothing(b, start))
		return;
	take_line(b, start, false);
	b->passing = true;
	b->passed_cr = start.p[start.n - 1] == '\r';
	buf_reset(&b->line);
	pass_piece(b, span_skip(piece, room));
}

/* Whole lines of a body that cannot be boundaries; how many bytes. */
static size_t
skip_body_lines(struct mime_tree_builder *b, struct span in)
{
	const char *p = in.p, *end = in.p + in.n;
	struct mark now = b->now;
	unsigned int line_end = b->line_end;

	while (p < end) {
		const char *lf;

		if (b->awaited > 0 && p[0] == '-' &&
		    (p + 1 == end || p[1] == '-'))
			break;
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			break;
		line_end = lf > p && lf[-1] == '\r' ? 2 : 1;
		now.at += (size_t)(lf - p) + 1;
		now.lines++;
		now.bare += line_end == 1;
		p = lf + 1;
	}
	b->now = now;
	b->line_end = line_end;
	return (size_t)(p - in.p);
}

/* Takes one line, or the piece of one, off the front. */
static void
step(struct mime_tree_builder *b, struct span *in)
{
	size_t n = span_find(*in, '\n');
	struct span piece = span_take(*in, n + 1);
	bool ended = n < in->n;

	*in = span_skip(*in, n + 1);
	if (b->passing) {
		pass_piece(b, piece);
	} else if (!ended) {
		take_beginning(b, piece);
	} else if (b->line.n == 0) {
		take_line(b, piece, true);
	} else if (b->line.n + piece.n > MIME_TREE_HEADER_MAX) {
		take_beginning(b, piece);
	} else {
		buf_add_span(&b->line, piece);
		take_line(b, buf_span(&b->line), false);
		buf_reset(&b->line);
	}
}

void
mime_tree_put(struct mime_tree_builder *b, struct span bytes)
{
	while (bytes.n > 0) {
		if (!b->in_header && !b->passing && b->line.n == 0)
			bytes = span_skip(bytes, skip_body_lines(b, bytes));
		if (bytes.n > 0)
			step(b, &bytes);
	}
	/* the bytes go; what is needed of them stays */
	if (b->in_header && b->direct.n > 0)
		keep_header_line(b, SPAN(""), false);
}

struct mime_tree *
mime_tree_end(struct mime_tree_builder **bp)
{
	struct mime_tree_builder *b = *bp;
	struct mime_tree *t = b->tree;

	if (b->line.n > 0)
		take_line(b, buf_span(&b->line), false);
	while (b->in_header)
		end_header(b);
	while (b->depth > 0)
		end_part(b, b->now);
	t->size = b->now.at;
	t->bare = b->now.bare;
	buf_fini(&b->kept);
	buf_fini(&b->line);
	free(b);
	*bp = NULL;
	return t;
}
