/* SPDX-License-Identifier: ISC */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

/* The content of a message, read from the descriptor qmgr passed. */

#include "lib/ipc/proto_deliver.h"
#include "lib/net/stream.h"

enum content_form {
	CONTENT_AS_IS,
	CONTENT_7BIT, /* converted, for a server without 8BITMIME */
	CONTENT_IMPOSSIBLE, /* such a server cannot have it */
};

enum content_form content_form(const struct msg_deliver *m, bool peer_8bit);
/* Bytes above 127 in the header (RFC 6532)? */
bool content_has_8bit_header(const struct msg_deliver *m);
/*
 * Sends all, fit for the wire, without the final dot. *error is errno when
 * the file could not be read; then what was sent is no message.
 */
enum io content_send(const struct msg_deliver *m, enum content_form form,
    struct stream *to, int *error);

#endif
