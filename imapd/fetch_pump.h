/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_FETCH_PUMP_H
#define IMAPD_FETCH_PUMP_H

/*
 * Bytes of a message on their way to the client: read in pieces, with line
 * ends made CRLF, and transfer encodings undone. Memory does not grow with the
 * message.
 */

#include "imapd/fetch.h"
#include "lib/mail/mime_decode.h"

struct pump {
	struct fetch_message *m;
	uint64_t at, size; /* where it lies, as stored */
	bool convert; /* LF to CRLF */
	enum mime_decoding decoding;
	uint64_t from, most; /* of what comes out */
};

/* How much comes out in all; has it a NUL? *total, *nul are set with OK. */
enum mail_result pump_count(const struct pump *p, uint64_t *total, bool *nul);
/*
 * Sends "most" bytes; NULs become 0x80 unless "binary". They were announced:
 * with anything but OK the connection must end (*io says).
 */
enum mail_result pump_send(const struct pump *p, bool binary, enum io *io);

/* In s->out: from "start" on, NULs become 0x80. */
void pump_clean(struct imap_session *s, size_t start);
/* Adds text with LF as CRLF; "last" is the byte before it. */
void pump_convert(struct span text, char last, struct buf *out);

#endif
