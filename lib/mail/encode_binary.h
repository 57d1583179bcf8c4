/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_ENCODE_BINARY_H
#define LIB_MAIL_ENCODE_BINARY_H

/*
 * Binary parts of a message (RFC 3030) made text, so that they can be kept
 * and shown as all others are: each leaf with "Content-Transfer-Encoding:
 * binary" whose bytes no text can have (NUL, or line ends that are no CRLF)
 * becomes base64, in lines of 76, and its field says so. All other bytes stay,
 * and so do the boundaries: no line of base64 is one.
 *
 * The message is read several times, by position; memory does not grow with
 * it. Parts are what mime_tree.h says they are.
 */

#include "lib/base/span.h"

#include <stdint.h>

struct encode_binary {
	/* "n" bytes from "at" on, all of them in the message. */
	bool (*read)(void *with, uint64_t at, void *to, size_t n);
	/* The next ones of what comes out. */
	bool (*put)(void *with, struct span bytes);
	void *with;
};

/* False: one of the calls was; there are none after that. */
bool encode_binary(const struct encode_binary *io, uint64_t size);

#endif
