/* SPDX-License-Identifier: ISC */
/* Any bytes: no tree, or one whose parts lie within each other. */
#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/mail/mime_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
look(const struct mime_part *p, uint64_t from, uint64_t to, size_t depth)
{
	size_t n = 0;

	ensure(depth <= MIME_TREE_DEPTH_MAX + 1);
	for (; p != NULL; p = p->next) {
		ensure(p->header_at >= from);
		ensure(p->body_at + p->body_size <= to);
		ensure(p->multipart || p->message || p->children == NULL);
		n += 1 +
		    look(p->children, p->body_at, p->body_at + p->body_size,
			depth + 1);
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mime_tree *t =
	    mime_tree_unpack((struct span){ (const char *)data, size });

	if (t == NULL)
		return 0;
	ensure(look(mime_tree_root(t), 0, mime_tree_size(t), 1) ==
	    mime_tree_parts(t));
	mime_tree_free(&t);
	return 0;
}
