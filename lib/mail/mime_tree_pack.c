/* SPDX-License-Identifier: ISC */
/*
 * A tree as bytes: version, size, line ends, then the parts in the order in
 * which they begin, numbers in seven bits a byte. Positions are told as the
 * distance from where a part can begin at the earliest.
 */
#include <string.h>

#include "lib/mail/mime_tree_private.h"

enum {
	PACK_VERSION = 1,
	NUMBER_MAX = 10, /* bytes of a number */
	CHARSET_MAX = 64,
	NAME_MAX_LENGTH = 127, /* of a type */
	/* flags */
	IS_MULTIPART = 1,
	IS_MESSAGE = 2,
	HAS_HEADER = 4,
	HAS_CHARSET = 8,
};

/* 0 is a type that is written out. New ones go to the end. */
static const struct {
	struct span type, subtype;
} types[] = {
	{ SPAN(""), SPAN("") },
#define MIME_TYPE(type, subtype) { SPAN(type), SPAN(subtype) },
#include "lib/mail/mime_types.def"
#undef MIME_TYPE
};

/* 0: none; 1: another, written out. */
static const struct span encodings[] = {
	SPAN(""),
	SPAN(""),
#define ENCODING(name, decoding, encoding) SPAN(name),
#include "lib/mail/mime_encodings.def"
#undef ENCODING
};

enum {
	TYPES = sizeof(types) / sizeof(types[0]),
	ENCODINGS = sizeof(encodings) / sizeof(encodings[0]),
};

static void
add_number(struct buf *out, uint64_t n)
{
	char bytes[NUMBER_MAX];
	size_t used = 0;

	for (; n > 127; n >>= 7)
		bytes[used++] = (char)(n | 0x80);
	bytes[used++] = (char)n;
	buf_add(out, bytes, used);
}

static void
add_text(struct buf *out, struct span text, size_t most)
{
	text = span_take(text, most);
	add_number(out, text.n);
	buf_add_span(out, text);
}

static void
add_type(struct buf *out, const struct mime_part *p)
{
	size_t i;

	for (i = 1; i < TYPES; i++)
		if (span_equal(p->type, types[i].type) &&
		    span_equal(p->subtype, types[i].subtype))
			break;
	add_number(out, i % TYPES);
	if (i == TYPES) {
		add_text(out, p->type, NAME_MAX_LENGTH);
		add_text(out, p->subtype, NAME_MAX_LENGTH);
	}
}

static void
add_encoding(struct buf *out, const struct mime_part *p)
{
	size_t i;

	if (p->encoding.n == 0) {
		add_number(out, 0);
		return;
	}
	for (i = 2; i < ENCODINGS; i++)
		if (span_equal(p->encoding, encodings[i]))
			break;
	add_number(out, i < ENCODINGS ? i : 1);
	if (i == ENCODINGS)
		add_text(out, p->encoding, NAME_MAX_LENGTH);
}

static uint64_t
count_children(const struct mime_part *p)
{
	uint64_t n = 0;

	for (p = p->children; p != NULL; p = p->next)
		n++;
	return n;
}

static void
add_part(struct buf *out, const struct mime_part *p, uint64_t earliest)
{
	struct span charset = mime_part_parameter(p, "charset");
	bool has_charset = charset.n > 0 && charset.n <= CHARSET_MAX;

	add_number(out,
	    (p->multipart ? IS_MULTIPART : 0) | (p->message ? IS_MESSAGE : 0) |
		(p->has_header ? HAS_HEADER : 0) |
		(has_charset ? HAS_CHARSET : 0));
	add_type(out, p);
	add_encoding(out, p);
	if (has_charset)
		add_text(out, charset, CHARSET_MAX);
	add_number(out, p->header_at - earliest);
	add_number(out, p->header_size);
	add_number(out, p->header_sent - p->header_size);
	add_number(out, p->body_size);
	add_number(out, p->body_sent - p->body_size);
	add_number(out, p->body_lines);
	if (p->multipart)
		add_number(out, count_children(p));
}

/* The part that begins next, in the order in which they lie. */
static const struct mime_part *
following(const struct mime_part *p, uint64_t *earliest)
{
	if (p->children != NULL) {
		*earliest = p->body_at;
		return p->children;
	}
	while (p != NULL && p->next == NULL)
		p = p->parent;
	if (p == NULL)
		return NULL;
	*earliest = p->body_at + p->body_size;
	return p->next;
}

bool
mime_tree_pack(const struct mime_tree *t, struct buf *out)
{
	const struct mime_part *p = t->root;
	uint64_t earliest = 0;

	add_number(out, PACK_VERSION);
	add_number(out, t->size);
	add_number(out, t->bare);
	while (p != NULL) {
		add_part(out, p, earliest);
		p = following(p, &earliest);
	}
	return !out->overflow;
}

struct reading {
	struct span rest;
	struct mime_tree *tree;
	bool bad;
};

/* At most "most": anything above is damage. */
static uint64_t
take_number(struct reading *r, uint64_t most)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->rest.n && i < NUMBER_MAX; i++) {
		uint64_t bits = (unsigned char)r->rest.p[i] & 0x7f;

		if (i == NUMBER_MAX - 1 && bits > 1)
			break;
		n |= bits << (7 * i);
		if (((unsigned char)r->rest.p[i] & 0x80) != 0)
			continue;
		if (n > most)
			break;
		r->rest = span_skip(r->rest, i + 1);
		return n;
	}
	r->bad = true;
	return 0;
}

static struct span
take_text(struct reading *r, size_t most)
{
	size_t n = (size_t)take_number(r, most);
	struct span s = span_take(r->rest, n);

	r->bad |= s.n < n;
	r->rest = span_skip(r->rest, n);
	return (struct span){ arena_span(r->tree->arena, s), s.n };
}

static void
take_type(struct reading *r, struct mime_part *p)
{
	size_t i = (size_t)take_number(r, TYPES - 1);

	p->type = types[i].type;
	p->subtype = types[i].subtype;
	if (i == 0) {
		p->type = take_text(r, NAME_MAX_LENGTH);
		p->subtype = take_text(r, NAME_MAX_LENGTH);
	}
	i = (size_t)take_number(r, ENCODINGS - 1);
	if (i > 0)
		p->encoding =
		    i == 1 ? take_text(r, NAME_MAX_LENGTH) : encodings[i];
}

static void
take_charset(struct reading *r, struct mime_part *p)
{
	struct mime_parameter *c = arena_alloc(r->tree->arena, sizeof(*c));

	c->name = SPAN("charset");
	c->value = take_text(r, CHARSET_MAX);
	p->parameters = c;
	p->parameter_count = 1;
}

/*
 * One part, between "earliest" and "end"; how many children it announces.
 */
static uint64_t
take_part(struct reading *r, struct mime_part *p, uint64_t earliest,
    uint64_t end)
{
	unsigned int flags = (unsigned int)take_number(r, 15);

	p->multipart = (flags & IS_MULTIPART) != 0;
	p->message = (flags & IS_MESSAGE) != 0;
	p->has_header = (flags & HAS_HEADER) != 0;
	r->bad |= p->multipart && p->message;
	take_type(r, p);
	if ((flags & HAS_CHARSET) != 0)
		take_charset(r, p);
	p->header_at = earliest + take_number(r, end - earliest);
	p->header_size = take_number(r, end - p->header_at);
	p->header_sent = p->header_size + take_number(r, p->header_size);
	p->body_at = p->header_at + p->header_size;
	p->body_size = take_number(r, end - p->body_at);
	p->body_sent = p->body_size + take_number(r, p->body_size);
	p->body_lines = take_number(r, p->body_size);
	if (p->multipart) {
		uint64_t n = take_number(r, MIME_TREE_PARTS_MAX);

		r->bad |= n == 0;
		return n;
	}
	return p->message ? 1 : 0;
}

/* A part that has more children to come. */
struct open {
	struct mime_part *part;
	struct mime_part **link;
	uint64_t left, earliest;
};

static void
take_parts(struct reading *r)
{
	struct open stack[MIME_TREE_DEPTH_MAX];
	size_t depth = 0;

	for (;;) {
		struct open *in = depth > 0 ? &stack[depth - 1] : NULL;
		struct mime_part *p = arena_alloc(r->tree->arena, sizeof(*p));
		uint64_t children =
		    take_part(r, p, in != NULL ? in->earliest : 0,
			in != NULL ? in->part->body_at + in->part->body_size :
				     r->tree->size);

		if (r->bad || ++r->tree->parts > MIME_TREE_PARTS_MAX)
			break;
		if (in != NULL) {
			p->parent = in->part;
			*in->link = p;
			in->link = &p->next;
			in->left--;
			in->earliest = p->body_at + p->body_size;
		} else {
			r->tree->root = p;
		}
		if (children > 0) {
			if (depth == MIME_TREE_DEPTH_MAX)
				break;
			stack[depth++] = (struct open){ p, &p->children,
				children, p->body_at };
		}
		while (depth > 0 && stack[depth - 1].left == 0)
			depth--;
		if (depth == 0)
			return;
	}
	r->bad = true;
}

struct mime_tree *
mime_tree_unpack(struct span packed)
{
	struct reading r = { .rest = packed, .tree = mime_tree_new() };

	r.bad = take_number(&r, PACK_VERSION) != PACK_VERSION;
	r.tree->size = take_number(&r, INT64_MAX);
	r.tree->bare = take_number(&r, r.tree->size);
	if (!r.bad)
		take_parts(&r);
	if (r.bad || r.rest.n > 0)
		mime_tree_free(&r.tree);
	return r.tree;
}
