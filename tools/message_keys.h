/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_MESSAGE_KEYS_H
#define TOOLS_MESSAGE_KEYS_H

/*
 * The lookup keys that a message gives to header_checks and body_checks
 * tables: each header field with the lines that continue it, joined by line
 * feeds, and each line of a body.
 */

#include <stddef.h>

#include "lib/base/buf.h"

struct message_keys {
	bool headers;
	bool bodies;
	/* MIME is followed: what a header is in parts, is one */
	bool mime;
	void (*key)(void *with, struct span key);
	void *with;
};

/* Any bytes; lines end in LF or CRLF. */
void message_keys(const struct message_keys *k, struct span message);

#endif
