/* SPDX-License-Identifier: ISC */
/*
 * Put in one piece, in two, or byte by byte, a message has the same tree; its
 * parts lie within each other; packed, it comes back.
 */
#include "lib/mail/mime_tree.h"

#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mime_tree *
tree_of(struct span message, size_t first, size_t then)
{
	struct mime_tree_builder *b = mime_tree_begin();

	mime_tree_put(b, span_take(message, first));
	message = span_skip(message, first);
	while (message.n > 0) {
		mime_tree_put(b, span_take(message, then));
		message = span_skip(message, then);
	}
	return mime_tree_end(&b);
}

static void
same_envelope(const struct mime_envelope *a, const struct mime_envelope *b)
{
	ensure((a == NULL) == (b == NULL));
	if (a == NULL)
		return;
	ensure(span_equal(a->subject, b->subject));
	ensure(span_equal(a->from, b->from));
	ensure((a->to.p == NULL) == (b->to.p == NULL));
}

static void
same_part(const struct mime_part *a, const struct mime_part *b, bool texts)
{
	ensure(span_equal(a->type, b->type));
	ensure(span_equal(a->subtype, b->subtype));
	ensure(span_equal(a->encoding, b->encoding));
	ensure(a->multipart == b->multipart && a->message == b->message);
	ensure(a->header_at == b->header_at);
	ensure(a->header_size == b->header_size);
	ensure(a->header_sent == b->header_sent);
	ensure(a->body_at == b->body_at);
	ensure(a->body_size == b->body_size);
	ensure(a->body_sent == b->body_sent);
	ensure(a->body_lines == b->body_lines);
	ensure((a->children == NULL) == (b->children == NULL));
	ensure((a->next == NULL) == (b->next == NULL));
	if (!texts)
		return;
	same_envelope(a->envelope, b->envelope);
	ensure(a->parameter_count == b->parameter_count);
	for (size_t i = 0; i < a->parameter_count; i++)
		ensure(
		    span_equal(a->parameters[i].value, b->parameters[i].value));
}

static void
within(const struct mime_part *p, const struct mime_part *parent)
{
	ensure(p->header_at >= parent->body_at);
	ensure(p->body_at == p->header_at + p->header_size);
	ensure(
	    p->body_at + p->body_size <= parent->body_at + parent->body_size);
	ensure(p->parent == parent);
	ensure(!p->multipart || p->children != NULL);
}

static void
same(const struct mime_part *a, const struct mime_part *b, bool texts)
{
	for (; a != NULL; a = a->next, b = b->next) {
		same_part(a, b, texts);
		if (a->parent != NULL)
			within(a, a->parent);
		same(a->children, b->children, texts);
	}
}

/* header.h and this cut at the same byte. */
static void
same_header(const struct mime_tree *t, struct span message)
{
	struct span rest = message;
	struct header_field f;

	if (message.n > MIME_TREE_HEADER_MAX)
		return;
	ensure(header_skip_envelope(&rest, true));
	while (header_next(&rest, true, &f) == HEADER_FIELD)
		continue;
	ensure(mime_tree_root(t)->body_at == (size_t)(rest.p - message.p));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = { (const char *)data, size };
	struct mime_tree *t = tree_of(message, size, 1), *u;
	struct buf packed = BUF_INIT(1 << 20);
	size_t half = size > 0 ? data[size / 2] % size : 0;

	ensure(mime_tree_size(t) == size);
	if (size > 0)
		same_header(t, message);
	u = tree_of(message, half, size);
	same(mime_tree_root(t), mime_tree_root(u), true);
	mime_tree_free(&u);
	u = tree_of(message, 0, 1);
	same(mime_tree_root(t), mime_tree_root(u), true);
	mime_tree_free(&u);
	ensure(mime_tree_pack(t, &packed));
	u = mime_tree_unpack(buf_span(&packed));
	ensure(u != NULL);
	same(mime_tree_root(t), mime_tree_root(u), false);
	mime_tree_free(&u);
	buf_fini(&packed);
	mime_tree_free(&t);
	return 0;
}
