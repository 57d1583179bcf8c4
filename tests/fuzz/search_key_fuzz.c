/* SPDX-License-Identifier: ISC */
/* Whatever is searched for: a tree within its limits, or a refusal. */
#include "imapd/search_key.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/ensure.h"
#include "tests/unit/imapd/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
check(const struct search_key *k, int depth)
{
	size_t leaves = 0;

	ensure(depth <= SEARCH_DEPTH_MAX);
	if (search_is_leaf(k))
		return 1;
	ensure(k->first != NULL && !k->negated);
	for (const struct search_key *c = k->first; c != NULL; c = c->next)
		leaves += check(c, depth + 1);
	return leaves;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span whole = { (const char *)data, size < 4096 ? size : 4096 };
	struct search_program *p = NULL;
	struct arena *arena = arena_new();
	const struct imap_arg *args;
	const char *text, *error;
	size_t count;

	text = arena_span(arena, whole);
	args = words_list(arena, &text, &count);
	if (search_parse(args, count, SPAN("utf-8"), 1000000000, &p, &error) ==
	    SEARCH_OK) {
		arena_free(&arena);
		ensure(check(p->root, 0) == p->count);
		ensure(p->count <= SEARCH_KEYS_MAX);
	} else {
		ensure(p == NULL && error != NULL);
	}
	search_program_free(&p);
	arena_free(&arena);
	return 0;
}
