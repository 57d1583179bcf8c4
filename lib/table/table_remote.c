/* SPDX-License-Identifier: ISC */
/*
 * A table that another process has open: see table_ask_elsewhere. This
 * process holds no client library, no password and no connection for it.
 */
#include "lib/table/type.h"

static bool
open_remote(struct table *t, struct span argument, struct buf *error)
{
	(void)t;
	(void)argument;
	(void)error;
	return true;
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	return t->ask(t->name, key, value);
}

static void
close_remote(struct table *t)
{
	(void)t;
}

/*
 * The other process folds keys as the type wants it; whether they may be parts
 * of addresses, whole_keys says.
 */
const struct table_ops table_remote_ops = {
	.folds = false,
	.partial = true,
	.open = open_remote,
	.lookup = lookup,
	.close = close_remote,
};
