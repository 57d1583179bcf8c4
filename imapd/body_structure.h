/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_BODY_STRUCTURE_H
#define IMAPD_BODY_STRUCTURE_H

/*
 * BODY and BODYSTRUCTURE (RFC 3501, RFC 9051 section 7.5.2) as text, valid
 * IMAP whatever the message holds.
 *
 * IMAP4rev1 and rev2 differ in two things: the value of a parameter with a
 * charset (RFC 2231) is as written for rev1, and UTF-8 for rev2; and
 * message/global has an envelope in rev2 only. What is kept is the form of
 * rev1; body_structure_differs tells that rev2's would be another.
 */

#include "lib/base/buf.h"
#include "lib/mail/mime_tree.h"

/* "extensible": BODYSTRUCTURE. The tree must have its texts. */
void body_structure_write(const struct mime_tree *t, bool extensible, bool rev2,
    struct buf *out);
bool body_structure_differs(struct span kept);

#endif
