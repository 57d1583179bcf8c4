/* SPDX-License-Identifier: ISC */
#ifndef POP3D_COMMAND_H
#define POP3D_COMMAND_H

/*
 * POP3 command lines (RFC 1939 section 3): a keyword, and what is behind the
 * first space. Pure.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/span.h"

enum {
	COMMAND_LINE_MAX = 512, /* RFC 2449 section 4 wants 255 at least */
	KEYWORD_MAX = 16,
};

struct command {
	struct span keyword; /* as written; 0 to KEYWORD_MAX letters */
	struct span rest; /* behind one space; may be empty, may have spaces */
	bool has_rest; /* there was a space */
};

/* False: not a command at all (control characters, no keyword, too long). */
bool command_parse(struct span line, struct command *out);
/* The next argument; false when there is none. */
bool command_argument(struct span *rest, struct span *argument);
/* "3": digits only, not zero, at most "max". */
bool command_number(struct span argument, uint64_t max, uint64_t *out);

#endif
