/* SPDX-License-Identifier: ISC */
/* inline:{ key=value, { key = text with blanks } }: a table in main.cf. */
#include "lib/table/type.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/table/lines.h"
#include "lib/table/text_map.h"
#include "lib/table/words.h"

/* What is wrong goes before the whole table. */
static bool
wrong(const struct table *t, struct buf *error, const char *what)
{
	buf_printf(error, "%s: \"%s\"; need \"inline:{name=value...}\"", what,
	    t->name);
	return false;
}

/* "name=value", or in braces, where blanks may be around each of the two. */
static bool
add(struct table *t, struct span word, struct buf *error)
{
	struct buf folded = BUF_INIT(TABLE_KEY_MAX * 4);
	struct span rest = word;
	struct span key;
	size_t n = 0;

	if (word.p[0] == '{') {
		if (!words_braced(word, &rest, error))
			return wrong(t, error, "");
		rest = span_trim(rest);
		if (rest.n == 0)
			return wrong(t, error,
			    "no key found; expected format: key = value");
	}
	while (n < rest.n && rest.p[n] != '=' && !lines_blank(rest.p[n]))
		n++;
	key = span_take(rest, n);
	rest = span_trim(span_skip(rest, n));
	if (rest.n == 0 || rest.p[0] != '=')
		return wrong(t, error, "missing '=' after attribute name");
	if (key.n > TABLE_KEY_MAX)
		return wrong(t, error, "a name is too long");
	text_map_put(t->state, table_fold(key, t->flags, &folded),
	    span_trim(span_skip(rest, 1)));
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

	if (!words_braced(argument, &rest, error) || rest.n == 0) {
		buf_reset(error);
		return wrong(t, error, "bad syntax");
	}
	if (!table_is_text(t, argument))
		return wrong(t, error, "bad UTF-8 syntax");
	t->state = text_map_new();
	while (good && words_next(&rest, &word))
		good = add(t, word, error);
	if (good && text_map_count(t->state) == 0)
		good = wrong(t, error, "empty table");
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
