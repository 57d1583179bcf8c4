/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_MIME_DECODE_H
#define LIB_MAIL_MIME_DECODE_H

/*
 * Content transfer encodings undone (RFC 2045 section 6), and the encoded
 * words of headers (RFC 2047). Lenient: what is broken is passed over, as
 * those who show mail do.
 */

#include "lib/base/buf.h"

enum mime_decoding {
	DECODE_NONE, /* 7bit, 8bit, binary */
	DECODE_QUOTED_PRINTABLE,
	DECODE_BASE64,
	DECODE_UNKNOWN, /* another encoding: cannot be undone */
};

/* Of the field's value; p NULL or empty: 7bit. */
enum mime_decoding mime_decoding(struct span encoding);

/* Works on text in pieces. Small; may be copied to go on from there later. */
struct mime_decoder {
	enum mime_decoding decoding;
	uint32_t bits; /* base 64 */
	unsigned int count; /* digits in it */
	bool padded;
	/*
	 * Quoted-printable: blanks that may be at the end of a line, and an
	 * "=" with what follows it, seen but not yet understood.
	 */
	char held[80];
	size_t held_n;
	bool bad; /* something was passed over */
};

void mime_decoder_init(struct mime_decoder *d, enum mime_decoding decoding);
/* Unknown encodings come out as they are. */
void mime_decoder_put(struct mime_decoder *d, struct span in, struct buf *out);
void mime_decoder_end(struct mime_decoder *d, struct buf *out);

/*
 * A header's value for people: unfolded, encoded words decoded, UTF-8.
 * Broken words stay as they are.
 */
void mime_decode_header(struct span value, struct buf *out);

#endif
