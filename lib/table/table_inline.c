/* SPDX-License-Identifier: ISC */
/* inline:{ key=value, { key = text with blanks } }: a table in main.cf. */
#include "lib/table/type.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/text_map.h"
#include "lib/table/words.h"

static bool
add(struct table *t, struct span word, struct buf *error)
{
	struct buf folded = BUF_INIT(TABLE_KEY_MAX * 4);
	struct span inner;
	struct span key;
	size_t equal;

	if (words_unbrace(word, &inner))
		word = span_trim(inner);
	equal = span_find(word, '=');
	key = span_trim(span_take(word, equal));
	if (equal == word.n || key.n == 0 || key.n > TABLE_KEY_MAX) {
		buf_printf(error, "%s: name=value is wanted at \"%.*s\"",
		    t->type, SPAN_ARG(word));
		return false;
	}
	key = table_fold(key, t->flags, &folded);
	if (!text_map_add(t->state, key, span_trim(span_skip(word, equal + 1))))
		log_warning("%s: duplicate entry: \"%.*s\"", t->type,
		    SPAN_ARG(key));
	buf_fini(&folded);
	return true;
}

static void
close_inline(struct table *t)
{
	struct text_map *m = t->state;

	text_map_free(&m);
}

static bool
open_inline(struct table *t, struct span argument, struct buf *error)
{
	struct span rest;
	struct span word;
	bool good = true;

	if (!words_unbrace(argument, &rest)) {
		buf_printf(error,
		    "inline:{name=value...} is wanted, not "
		    "\"%s\"",
		    t->name);
		return false;
	}
	t->state = text_map_new();
	while (good && words_next(&rest, &word))
		good = add(t, word, error);
	if (good && text_map_count(t->state) == 0) {
		buf_printf(error, "%s: the table is empty", t->name);
		good = false;
	}
	if (!good)
		close_inline(t);
	return good;
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	struct span found;

	if (!text_map_find(t->state, key, &found))
		return TABLE_NONE;
	buf_add_span(value, found);
	return TABLE_FOUND;
}

const struct table_ops table_inline_ops = {
	.folds = true,
	.partial = true,
	.open = open_inline,
	.lookup = lookup,
	.close = close_inline,
};
