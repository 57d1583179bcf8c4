/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_TEXT_SOURCE_H
#define LIB_TABLE_TEXT_SOURCE_H

/* A source text as a map in memory; of equal keys the first counts. */

#include "lib/table/source.h"
#include "lib/table/text_map.h"

struct text_source_how {
	enum source_syntax syntax;
	unsigned int flags; /* enum table_flag: how keys are folded */
};

/* A loaded_parse: "with" is a struct text_source_how, the result a map. */
void *text_source_parse(const char *path, struct span text, void *with);

#endif
