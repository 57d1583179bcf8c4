/* SPDX-License-Identifier: ISC */
/* environ: the environment of the process. */
#include "lib/table/type.h"

#include <stdlib.h>

#include "lib/base/mem.h"

static bool
open_environ(struct table *t, struct span argument, struct buf *error)
{
	(void)t;
	(void)argument;
	(void)error;
	return true;
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	char *name;
	const char *found;

	(void)t;
	if (span_find(key, '\0') < key.n)
		return TABLE_NONE;
	name = mem_span_text(key);
	found = getenv(name);
	free(name);
	if (found == NULL)
		return TABLE_NONE;
	buf_add_text(value, found);
	return TABLE_FOUND;
}

static void
close_environ(struct table *t)
{
	(void)t;
}

/* Names of variables are told apart by case. */
const struct table_ops table_environ_ops = {
	.folds = false,
	.partial = true,
	.open = open_environ,
	.lookup = lookup,
	.close = close_environ,
};
