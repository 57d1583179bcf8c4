/* SPDX-License-Identifier: ISC */
#ifndef LIB_CONF_LOGICAL_LINES_H
#define LIB_CONF_LOGICAL_LINES_H

/*
 * The lines of main.cf and master.cf: a line that begins with white space
 * continues the one before it, and lines that are empty or whose first
 * visible character is # are skipped, within a continued line as well.
 *
 * Bounds: a file has at most LOGICAL_FILE_MAX bytes, a logical line at most
 * LOGICAL_LINE_MAX; longer ones are reported and left out.
 */

#include <stdbool.h>
#include "lib/base/buf.h"
#include "lib/base/span.h"

enum {
	LOGICAL_FILE_MAX = 16 << 20,
	LOGICAL_LINE_MAX = 1 << 20,
};

struct logical_lines {
	struct span rest; /* what is not read yet; the caller's */
	const char *file; /* for messages; the caller's */
	int next; /* number of the first line of rest */
	int number; /* first physical line of the current logical one */
	struct buf line; /* the current one */
};

/* "text" and "file" must outlive it. End with logical_lines_fini. */
void
logical_lines_init(struct logical_lines *l, struct span text, const char *file);
void logical_lines_fini(struct logical_lines *l);
/*
 * The next line, line ends taken out and white space at both ends trimmed;
 * valid until the next call. False at the end of the text. White space at
 * the front of the first line of all is an error, and the line is left out.
 */
bool logical_lines_next(struct logical_lines *l, struct span *line,
    struct buf *errors);

/*
 * Reads a whole configuration file. False, and a line in *errors, when it
 * cannot be opened, is no regular file, is too long, or holds NUL bytes.
 */
bool logical_file_read(const char *path, struct buf *text, struct buf *errors);

#endif
