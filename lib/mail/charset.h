/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_CHARSET_H
#define LIB_MAIL_CHARSET_H

/*
 * Text of mail in its many character sets, to UTF-8. What comes out is always
 * well-formed UTF-8 without NUL; what cannot be converted becomes U+FFFD.
 *
 * Sets of one byte for a character are tables; the others are the C
 * library's, which loads each from a file, and none but those that mail is
 * known to use. A program that is going to give up the right to open files
 * calls charset_prepare before; children that it forks have it all.
 */

#include "lib/base/buf.h"

/* Loads everything: some milliseconds. */
void charset_prepare(void);
/* Is this one of those (case and aliases do not matter)? */
bool charset_known(struct span name);
/* What can be converted, for BADCHARSET; NULL at the end. */
const char *const *charset_names(void);
/*
 * Adds the text. False when the charset is not known: then it is taken for
 * what "" is, US-ASCII: 8-bit bytes in that are UTF-8 where they can be, else
 * windows-1252.
 */
bool charset_to_utf8(struct span charset, struct span text, struct buf *out);

/* The same for text that comes in pieces. */
struct charset;

struct charset *charset_begin(struct span name); /* never NULL */
void charset_put(struct charset *c, struct span text, struct buf *out);
/* What is left of a cut character; the next text may follow. */
void charset_flush(struct charset *c, struct buf *out);
void charset_end(struct charset **c); /* NULL is fine */

#endif
