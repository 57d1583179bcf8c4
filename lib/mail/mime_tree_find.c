/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "lib/mail/mime_tree_private.h"

struct mime_tree *
mime_tree_new(void)
{
	struct mime_tree *t = mem_new(sizeof(*t));

	t->arena = arena_new();
	return t;
}

void
mime_tree_free(struct mime_tree **tp)
{
	struct mime_tree *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	arena_free(&t->arena);
	free(t);
}

const struct mime_part *
mime_tree_root(const struct mime_tree *t)
{
	return t->root;
}

size_t
mime_tree_parts(const struct mime_tree *t)
{
	return t->parts;
}

uint64_t
mime_tree_size(const struct mime_tree *t)
{
	return t->size;
}

uint64_t
mime_tree_sent(const struct mime_tree *t)
{
	return t->size + t->bare;
}

/* The n-th part of a message (or multipart), from 1. */
static const struct mime_part *
nth(const struct mime_part *in, uint64_t n)
{
	const struct mime_part *p;

	if (!in->multipart)
		return n == 1 ? in : NULL;
	for (p = in->children; p != NULL && n > 1; p = p->next)
		n--;
	return n == 1 ? p : NULL;
}

const struct mime_part *
mime_tree_find(const struct mime_tree *t, struct span numbers)
{
	const struct mime_part *in = t->root, *p = NULL;
	struct span number;
	uint64_t n;

	while (span_cut(&numbers, ".", false, &number)) {
		/* what holds no parts has none */
		if (p != NULL)
			in = p->multipart ? p : p->message ? p->children : NULL;
		if (in == NULL || !span_u64(number, UINT32_MAX, &n))
			return NULL;
		p = nth(in, n);
		if (p == NULL)
			return NULL;
	}
	return p;
}
