/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_SOURCE_H
#define LIB_TABLE_SOURCE_H

/*
 * The text form of tables: "key value" lines as postmap(1) takes them, and
 * "name: value" lines as in aliases(5).
 */

#include "lib/base/buf.h"

enum source_syntax {
	SOURCE_GUESS, /* aliases when most of the lines look like it */
	SOURCE_MAP,
	SOURCE_ALIASES,
};

/*
 * The files that "names" lists, one behind the other; false with what is
 * wrong in *error.
 */
bool source_contents(struct span names, struct buf *out, struct buf *error);

struct source_how {
	enum source_syntax syntax;
	bool bytes; /* lines need not be UTF-8 */
	/*
	 * A value names files: what they hold, a line feed between two, takes
	 * its place, in base64. An entry whose files cannot be read is left
	 * out, with a warning.
	 */
	bool contents;
	bool silent; /* no warnings */
};

/*
 * The key is not folded; both live until the call returns. The value of an
 * alias is written as alias_text_value does.
 */
typedef void
source_entry(void *with, struct span key, struct span value, unsigned int line);

/*
 * Calls for each entry in the order of the text. A line that is none is
 * left out with a warning, as in Postfix; the number of those is returned.
 */
size_t source_read(const char *path, struct span text,
    const struct source_how *how, source_entry *entry, void *with);

#endif
