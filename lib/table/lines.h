/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_LINES_H
#define LIB_TABLE_LINES_H

/*
 * Logical lines of a table's text: empty lines and lines whose first
 * non-blank character is # count for nothing; a line that begins with a
 * blank continues the last one that counts, blanks and all.
 */

#include "lib/base/buf.h"

struct lines {
	struct span rest;
	unsigned int number; /* of the physical line read last */
	unsigned int first; /* where the logical line began */
	bool indented; /* the first may begin with a blank */
	bool silent; /* no warnings */
	struct buf joined;
};

enum { LINES_MAX = 2 << 20 }; /* bytes of one logical line */

/* The text stays the caller's. */
void lines_init(struct lines *l, struct span text);
void lines_fini(struct lines *l);
/*
 * The next logical line, without blanks at its end; lives until the next
 * call. One that is too long, holds a NUL, or continues nothing is left out,
 * with a warning that names "path".
 */
bool lines_next(struct lines *l, const char *path, struct span *line);

/* White space of the C locale. */
bool lines_blank(char c);
struct span lines_trim(struct span s);
/* For warnings: at most "max" bytes, those that are no ASCII turned to "?". */
struct span lines_shown(struct span s, char *room, size_t max);

#endif
