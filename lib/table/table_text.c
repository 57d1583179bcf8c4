/* SPDX-License-Identifier: ISC */
/* texthash: the text source itself, read into memory. */
#include "lib/table/text_source.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/table/loaded.h"
#include "lib/table/type.h"

struct text_table {
	struct loaded file;
	struct text_source_how how;
};

static void
release(void *data)
{
	struct text_map *m = data;

	text_map_free(&m);
}

static void
close_text(struct table *t)
{
	struct text_table *x = t->state;

	loaded_close(&x->file);
	free(x);
}

static bool
open_text(struct table *t, struct span argument, struct buf *error)
{
	struct text_table *x;
	char *path;
	bool good;

	x = mem_new(sizeof(*x));
	x->how = (struct text_source_how){
		/* in alias_maps it may be in either; to Postfix it is a map */
		.syntax = t->flags & TABLE_ALIASES ? SOURCE_GUESS : SOURCE_MAP,
		.flags = t->flags,
	};
	x->file.parse = text_source_parse;
	x->file.release = release;
	x->file.with = &x->how;
	t->state = x;
	path = mem_span_text(argument);
	x->file.noun = "database ";
	good = loaded_open(&x->file, path, error);
	free(path);
	if (!good)
		free(x);
	return good;
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	struct text_table *x = t->state;
	enum table_result r = loaded_look(&x->file, value);
	struct span found;

	if (r != TABLE_FOUND)
		return r;
	if (!text_map_find(x->file.data, key, &found))
		return TABLE_NONE;
	buf_add_span(value, found);
	return TABLE_FOUND;
}

static uid_t
owner(const struct table *t)
{
	const struct text_table *x = t->state;

	return x->file.stamp.owner;
}

const struct table_ops table_text_ops = {
	.folds = true,
	.partial = true,
	.open = open_text,
	.lookup = lookup,
	.owner = owner,
	.close = close_text,
};
