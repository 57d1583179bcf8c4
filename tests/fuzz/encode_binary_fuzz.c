/* SPDX-License-Identifier: ISC */
/*
 * What comes out has the same parts, and nothing that is to be done; nothing
 * is read outside of the message.
 */
#include "lib/mail/encode_binary.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/mail/mime_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct whole {
	struct span in;
	struct buf out;
};

static bool
read_it(void *with, uint64_t at, void *to, size_t n)
{
	struct whole *w = with;

	ensure(n > 0 && at <= w->in.n && n <= w->in.n - at);
	memcpy(to, w->in.p + at, n);
	return true;
}

static bool
put_it(void *with, struct span bytes)
{
	struct whole *w = with;

	return buf_add_span(&w->out, bytes);
}

static void
encode(struct whole *w, struct span in)
{
	const struct encode_binary io = { read_it, put_it, w };

	w->in = in;
	buf_init(&w->out, SIZE_MAX);
	ensure(encode_binary(&io, in.n));
}

static size_t
parts(struct span message)
{
	struct mime_tree_builder *b = mime_tree_begin();
	struct mime_tree *t;
	size_t n;

	mime_tree_put(b, message);
	t = mime_tree_end(&b);
	n = mime_tree_parts(t);
	mime_tree_free(&t);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct whole once, twice;

	encode(&once, in);
	encode(&twice, buf_span(&once.out));
	ensure(parts(in) == parts(buf_span(&once.out)));
	ensure(span_equal(buf_span(&once.out), buf_span(&twice.out)));
	buf_fini(&once.out);
	buf_fini(&twice.out);
	return 0;
}
