/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_CHARSET_H
#define LIB_MAIL_CHARSET_H

/*
 * Text of mail in its many character sets, to UTF-8. What comes out is always
 * well-formed UTF-8 without NUL; what cannot be converted becomes U+FFFD.
 *
 * UTF-8, ASCII, ISO 8859-1 and windows-1252 are done here, others that mail
 * is known to use by iconv(3); a message cannot make it load anything else.
 */

#include "lib/base/buf.h"

/* Is this one of those (case and aliases do not matter)? */
bool charset_known(struct span name);
/*
 * Adds the text. False when the charset is not known: then it was taken for
 * UTF-8. "" is US-ASCII; 8-bit bytes in that are taken as UTF-8 too, which is
 * what they mostly are.
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
