/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_CHARACTER_SET_H
#define LIB_MAIL_CHARACTER_SET_H

/* A set of bytes, as message_reject_characters names them. */

#include "lib/base/span.h"

struct character_set { /* zeroed is empty */
	bool any;
	bool has[256];
};

/*
 * Each byte of the text, "\ooo" (one to three octal digits) and the escapes of
 * C. Blanks count. CR and LF are left out, for they end lines alone. False,
 * *out unspecified: a backslash with nothing known behind it.
 */
bool character_set_parse(struct span text, struct character_set *out);

#endif
