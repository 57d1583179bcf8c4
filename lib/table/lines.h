/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_LINES_H
#define LIB_TABLE_LINES_H

/*
 * Logical lines of a table's text: empty lines and lines whose first
 * non-blank character is # count for nothing; a line that begins with a
 * blank continues the one before it.
 */

#include "lib/base/buf.h"

struct lines {
	struct span rest;
	unsigned int number; /* of the physical line read last */
	unsigned int first; /* where the logical line began */
	struct buf joined;
};

enum { LINES_MAX = 2 << 20 }; /* bytes of one logical line */

/* The text stays the caller's. */
void lines_init(struct lines *l, struct span text);
void lines_fini(struct lines *l);
/*
 * The next logical line, without blanks at its end; lives until the next
 * call. One that is too long or holds a NUL is left out, with a warning that
 * names "path".
 */
bool lines_next(struct lines *l, const char *path, struct span *line);

#endif
