/* SPDX-License-Identifier: ISC */
/*
 * "binary" and "base64" are words of one length: headers keep their size, and
 * whatever else is in the field stays.
 *
 * SECURITY: whole messages of strangers. The tree is walked without recursion;
 * a part without a field that can be found keeps its bytes.
 */
#include "lib/mail/encode_binary.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/mem.h"
#include "lib/mail/header.h"
#include "lib/mail/mime_tree.h"

enum {
	LINE = 57, /* bytes that 76 characters stand for */
	CHUNK = 512 * LINE,
};

struct run {
	const struct encode_binary *io;
	uint64_t size;
	uint64_t at; /* all before was dealt with */
	bool failed;
	struct buf header, out;
	char in[CHUNK];
};

/* The next bytes of at .. end; empty at the end, and when it failed. */
static struct span
read_chunk(struct run *r, uint64_t at, uint64_t end)
{
	size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

	if (!r->failed && n > 0)
		r->failed = !r->io->read(r->io->with, at, r->in, n);
	return (struct span){ r->in, r->failed ? 0 : n };
}

static void
put(struct run *r, struct span bytes)
{
	if (!r->failed && bytes.n > 0)
		r->failed = !r->io->put(r->io->with, bytes);
}

static void
copy(struct run *r, uint64_t end)
{
	struct span s;

	while ((s = read_chunk(r, r->at, end)).n > 0) {
		put(r, s);
		r->at += s.n;
	}
}

static struct mime_tree *
read_tree(struct run *r)
{
	struct mime_tree_builder *b = mime_tree_begin();
	uint64_t at = 0;
	struct span s;

	while ((s = read_chunk(r, at, r->size)).n > 0) {
		mime_tree_put(b, s);
		at += s.n;
	}
	return mime_tree_end(&b);
}

/* Are there bytes in it that no text has? "last" is the byte before. */
static bool
is_binary(struct span s, char last)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0' || (s.p[i] == '\n') != (last == '\r'))
			return true;
		last = s.p[i];
	}
	return false;
}

static bool
body_is_binary(struct run *r, const struct mime_part *p)
{
	uint64_t at = p->body_at, end = p->body_at + p->body_size;
	struct span s;
	char last = '\0';

	for (; (s = read_chunk(r, at, end)).n > 0; at += s.n) {
		if (is_binary(s, last))
			return true;
		last = s.p[s.n - 1];
	}
	return last == '\r';
}

/* Where its field says "binary". */
static bool
find_word(struct run *r, const struct mime_part *p, uint64_t *at)
{
	uint64_t end = p->header_at + p->header_size, next = p->header_at;
	struct span text, value, word, s;

	buf_reset(&r->header);
	while (
	    (s = read_chunk(r, next, end)).n > 0 && buf_add_span(&r->header, s))
		next += s.n;
	text = buf_span(&r->header);
	if (p->header_at == 0)
		(void)header_skip_envelope(&text, true);
	if (!header_find(text, "Content-Transfer-Encoding", &value))
		return false;
	word = mime_take_token(&value);
	*at = p->header_at + (uint64_t)(word.p - r->header.p);
	return span_is_nocase(word, "binary");
}

static void
put_base64(struct run *r, uint64_t end)
{
	struct span s;

	while ((s = read_chunk(r, r->at, end)).n > 0) {
		r->at += s.n;
		buf_reset(&r->out);
		for (; s.n > 0; s = span_skip(s, LINE)) {
			base64_encode(span_take(s, LINE), &r->out);
			/* a boundary's line end is there already */
			if (s.n > LINE || r->at < end || end == r->size)
				buf_add_text(&r->out, "\r\n");
		}
		put(r, buf_span(&r->out));
	}
}

static void
take_part(struct run *r, const struct mime_part *p)
{
	uint64_t word;

	if (p->children != NULL || !span_is(p->encoding, "binary") ||
	    !body_is_binary(r, p) || !find_word(r, p, &word))
		return;
	copy(r, word);
	put(r, SPAN("base64"));
	r->at += strlen("base64");
	copy(r, p->body_at);
	put_base64(r, p->body_at + p->body_size);
}

/* In the order in which they lie in the message. */
static const struct mime_part *
part_after(const struct mime_part *p)
{
	if (p->children != NULL)
		return p->children;
	while (p != NULL && p->next == NULL)
		p = p->parent;
	return p == NULL ? NULL : p->next;
}

bool
encode_binary(const struct encode_binary *io, uint64_t size)
{
	struct run *r = mem_new(sizeof(*r));
	struct mime_tree *tree;
	bool done;

	r->io = io;
	r->size = size;
	buf_init(&r->header, MIME_TREE_HEADER_MAX);
	buf_init(&r->out, (size_t)2 * CHUNK);
	tree = read_tree(r);
	for (const struct mime_part *p = mime_tree_root(tree);
	     p != NULL && !r->failed; p = part_after(p))
		take_part(r, p);
	copy(r, size);
	done = !r->failed;
	mime_tree_free(&tree);
	buf_fini(&r->header);
	buf_fini(&r->out);
	free(r);
	return done;
}
