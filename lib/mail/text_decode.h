/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_TEXT_DECODE_H
#define LIB_MAIL_TEXT_DECODE_H

/*
 * Out of the encodings that mail travels in: base64 and quoted-printable
 * (RFC 2045 section 6) as it streams by, and encoded words in header fields
 * (RFC 2047). Reads what is broken as well as it can, in linear time.
 */

#include "lib/base/buf.h"

enum text_encoding {
	TEXT_IDENTITY, /* 7bit, 8bit, binary */
	TEXT_QUOTED_PRINTABLE,
	TEXT_BASE64,
	TEXT_UNKNOWN, /* the bytes mean nobody knows what */
};

/* The value of Content-Transfer-Encoding; the empty one is identity. */
enum text_encoding text_encoding_of(struct span value);

struct text_decode {
	enum text_encoding encoding;
	bool broken; /* something in it was not as it must be */
	/* private */
	uint32_t bits;
	unsigned int have, held;
	bool padded;
	char hold[80]; /* blanks that may be at a line's end, or "=", "=4" */
};

void text_decode_begin(struct text_decode *d, enum text_encoding encoding);
/* In pieces of any size. What is decoded is never longer than "in", but for
 * at most sizeof(d->hold) bytes. */
void text_decode_put(struct text_decode *d, struct span in, struct buf *out);
/* The end: with base64 that is cut short, d->broken. */
void text_decode_end(struct text_decode *d, struct buf *out);

/*
 * A header field's value as text: unfolded, encoded words decoded, UTF-8
 * throughout. Encoded words that follow each other are joined, also within a
 * character (RFC 2047 section 6.2, and what is sent against section 5).
 */
void text_decode_header(struct span value, struct buf *utf8);

#endif
