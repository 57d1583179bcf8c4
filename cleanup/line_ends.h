/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_LINE_ENDS_H
#define CLEANUP_LINE_ENDS_H

/*
 * Makes every line end of a message CRLF: LF and CRLF become CRLF, a CR
 * anywhere else a space, and an open last line is closed. So a stored file
 * holds CRLF line ends only, whoever submitted it. Other bytes, NUL too, pass
 * as they are. On the way it sees whether there are bytes above 127 and lines
 * longer than SMTP allows.
 *
 * Push driven: input may be split anywhere; clean runs are handed on whole
 * and uncopied.
 */

#include "lib/base/span.h"

enum { LINE_ENDS_MAX = 998 }; /* RFC 5322 section 2.1.1 */

typedef void line_ends_emit(void *with, const char *data, size_t n);

struct line_ends { /* zeroed is ready for use */
	bool cr; /* a CR is held back */
	bool eight_bit;
	bool long_line;
	size_t line; /* bytes of the current line so far */
};

void line_ends_feed(struct line_ends *l, struct span in, line_ends_emit *emit,
    void *with);
/* The input is over. */
void line_ends_finish(struct line_ends *l, line_ends_emit *emit, void *with);

#endif
