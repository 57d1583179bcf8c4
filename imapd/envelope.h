/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_ENVELOPE_H
#define IMAPD_ENVELOPE_H

/*
 * The ENVELOPE of a message (RFC 9051 section 7.5.2) as text. Whatever the
 * header holds, the text is valid IMAP: 8-bit and odd bytes are in literals,
 * so that it can be sent to all clients, those with UTF8=ACCEPT included.
 */

#include "lib/base/buf.h"
#include "lib/mail/mime_tree.h"

enum {
	/* beyond this the addresses of a list are left out */
	ENVELOPE_LIST_MAX = 1 << 20,
	/* and when this is in the buffer all are: NIL */
	ENVELOPE_ROOM = 8 << 20,
	/* with that, this is a safe size for the buffer */
	ENVELOPE_TEXT_MAX = 32 << 20,
};

/* e NULL: a message without a header; all is NIL. */
void envelope_write(const struct mime_envelope *e, struct buf *out);

#endif
