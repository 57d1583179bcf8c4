/* SPDX-License-Identifier: ISC */
/*
 * static: the same value for every key. fail: an error for every key.
 * internal: what Postfix's programs keep for themselves; nothing to others.
 */
#include "lib/table/type.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/table/words.h"

static bool
open_static(struct table *t, struct span argument, struct buf *error)
{
	struct span inner;

	if (argument.p[0] == '{') {
		buf_add_text(error, "bad static:name syntax: ");
		if (!words_braced(argument, &inner, error))
			return false;
		buf_reset(error);
		argument = span_trim(inner);
	}
	t->state = mem_span_text(argument);
	return true;
}

static enum table_result
lookup_static(struct table *t, struct span key, struct buf *value)
{
	(void)key;
	buf_add_text(value, t->state);
	return TABLE_FOUND;
}

static bool
open_fail(struct table *t, struct span argument, struct buf *error)
{
	(void)error;
	t->state = mem_span_text(argument);
	return true;
}

static enum table_result
lookup_fail(struct table *t, struct span key, struct buf *value)
{
	(void)key;
	buf_printf(value, "table %s fails on purpose", t->name);
	return TABLE_AGAIN;
}

static enum table_result
lookup_internal(struct table *t, struct span key, struct buf *value)
{
	(void)t;
	(void)key;
	(void)value;
	return TABLE_NONE;
}

static void
close_text(struct table *t)
{
	free(t->state);
}

const struct table_ops table_static_ops = {
	.folds = false,
	.partial = true,
	.open = open_static,
	.lookup = lookup_static,
	.close = close_text,
};

const struct table_ops table_fail_ops = {
	.folds = true,
	.partial = true,
	.open = open_fail,
	.lookup = lookup_fail,
	.close = close_text,
};

const struct table_ops table_internal_ops = {
	.folds = true,
	.partial = true,
	.open = open_fail,
	.lookup = lookup_internal,
	.close = close_text,
};
