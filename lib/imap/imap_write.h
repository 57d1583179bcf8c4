/* SPDX-License-Identifier: ISC */
#ifndef LIB_IMAP_IMAP_WRITE_H
#define LIB_IMAP_IMAP_WRITE_H

/*
 * What servers say. Every text that comes from a message, a file or a client
 * goes through one of these, so that whatever it holds the client reads one
 * string and nothing else. They add to a buffer; overflow shows there.
 */

#include "lib/base/buf.h"

/*
 * A string: quoted where all bytes may stand in a quoted string (no CR, LF,
 * NUL, no 8-bit unless "utf8", not too long), else a literal. NUL, which no
 * string may hold, becomes 0x80 in the way of RFC 3516 conversions.
 */
void imap_write_string(struct buf *out, struct span text, bool utf8);
/* NIL where p is NULL. */
void imap_write_nstring(struct buf *out, struct span text, bool utf8);
/* An atom where it can be one, else a string. */
void imap_write_astring(struct buf *out, struct span text, bool utf8);
/*
 * A mailbox name, UTF-8 inside: in modified UTF-7 (RFC 3501 section 5.1.3), or
 * as it is with "utf8" (rev2 or UTF8=ACCEPT enabled).
 */
void imap_write_mailbox(struct buf *out, const char *name, bool utf8);
/* "17-Jul-1996 02:44:25 -0700" in quotes; local time's offset. */
void imap_write_date_time(struct buf *out, int64_t seconds);
/* Text for people behind a status: one line, printable. */
void imap_write_text(struct buf *out, const char *text);

/*
 * A mailbox name of a command to UTF-8: modified UTF-7, or UTF-8 with "utf8".
 * False for what is neither, or has control characters. INBOX in any case of
 * letters becomes "INBOX".
 */
bool imap_mailbox_name(struct span wire, bool utf8, struct buf *out);

#endif
