/* SPDX-License-Identifier: ISC */
#include "lib/table/text_source.h"

#include "lib/log/log.h"
#include "lib/table/lines.h"
#include "lib/table/type.h"

struct filling {
	const struct text_source_how *how;
	const char *path;
	struct text_map *map;
	struct buf folded;
};

static void
add(void *with, struct span key, struct span value, unsigned int line)
{
	struct filling *f = with;

	if (!text_map_add(f->map, table_fold(key, f->how->flags, &f->folded),
		value))
		log_warning("%s, line %u: duplicate entry: \"%.*s\"", f->path,
		    line, SPAN_ARG(key));
}

void *
text_source_parse(const char *path, struct span text, void *with)
{
	struct filling f = {
		.how = with,
		.path = path,
		.map = text_map_new(),
		.folded = BUF_INIT(LINES_MAX * 4),
	};

	source_read(path, text,
	    &(struct source_how){
		.syntax = f.how->syntax,
		.bytes = f.how->flags & TABLE_ASCII,
		.contents = f.how->flags & TABLE_CONTENTS,
	    },
	    add, &f);
	buf_fini(&f.folded);
	return f.map;
}
