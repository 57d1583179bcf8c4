/* SPDX-License-Identifier: ISC */
#ifndef LIB_IMAP_IMAP_UTF7_H
#define LIB_IMAP_IMAP_UTF7_H

/*
 * Modified UTF-7 of mailbox names (RFC 3501 section 5.1.3): "&" begins
 * base64 of UTF-16, "-" ends it; "&-" is "&". Pure.
 */

#include "lib/base/buf.h"

/*
 * To modified UTF-7. What is not UTF-8 becomes U+FFFD, byte by byte, and
 * control characters are encoded, so that the result is printable ASCII.
 */
void imap_utf7_encode(struct buf *out, struct span utf8);
/*
 * From modified UTF-7, to UTF-8. False for what is not in its one proper
 * form: 8-bit or control characters, bits left over, half of a surrogate
 * pair, printable ASCII encoded, or two runs where one would do. So each name
 * has one spelling, and what is decoded encodes to what was there.
 */
bool imap_utf7_decode(struct buf *out, struct span wire);

#endif
