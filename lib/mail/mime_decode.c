/* SPDX-License-Identifier: ISC */
#include "lib/mail/mime_decode.h"

#include <string.h>

#include "lib/base/hex.h"

enum mime_decoding
mime_decoding(struct span encoding)
{
	static const struct {
		const char *name;
		enum mime_decoding decoding;
	} names[] = {
#define ENCODING(name, decoding, encoding) { name, decoding },
#include "lib/mail/mime_encodings.def"
#undef ENCODING
	};

	if (encoding.n == 0)
		return DECODE_NONE;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is_nocase(encoding, names[i].name))
			return names[i].decoding;
	return DECODE_UNKNOWN;
}

void
mime_decoder_init(struct mime_decoder *d, enum mime_decoding decoding)
{
	memset(d, 0, sizeof(*d));
	d->decoding = decoding;
}

/* 0 to 63; 64: "="; -1: no digit. */
static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : c == '=' ? 64 : -1;
}

/* The bytes that "count" digits stand for; then it begins anew. */
static size_t
take_bits(struct mime_decoder *d, char out[3])
{
	size_t n = d->count > 1 ? d->count - 1 : 0;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(d->bits << (32 - 6 * d->count) >> (24 - 8 * i));
	d->bad |= d->count == 1;
	d->bits = 0;
	d->count = 0;
	return n;
}

static void
put_base64(struct mime_decoder *d, struct span in, struct buf *out)
{
	char *to = buf_reserve(out, in.n / 4 * 3 + 6);
	size_t n = 0;

	if (to == NULL)
		return;
	for (size_t i = 0; i < in.n; i++) {
		int v = digit(in.p[i]);

		if (v == 64) {
			/* parts of base 64 one behind the other are read */
			if (d->count > 0)
				n += take_bits(d, to + n);
		} else if (v >= 0) {
			d->bits = d->bits << 6 | (uint32_t)v;
			if (++d->count == 4)
				n += take_bits(d, to + n);
		} else if (memchr(" \t\r\n", in.p[i], 4) == NULL) {
			d->bad = true;
		}
	}
	buf_added(out, n);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
give_held(struct mime_decoder *d, struct buf *out)
{
	buf_add(out, d->held, d->held_n);
	d->held_n = 0;
}

/* A byte behind "=": part of what was held. */
static void
put_escaped(struct mime_decoder *d, char c, struct buf *out)
{
	d->held[d->held_n++] = c;
	if (c == '\n') {
		d->held_n = 0; /* a soft line end */
	} else if (d->held_n == 2 && hex_digit(c) >= 0) {
		return; /* one more */
	} else if (d->held_n == 3 && hex_digit(d->held[1]) >= 0) {
		if (hex_digit(c) >= 0) {
			buf_add_char(out,
			    (char)(hex_digit(d->held[1]) * 16 + hex_digit(c)));
			d->held_n = 0;
		} else {
			d->bad = true;
			give_held(d, out);
		}
	} else if ((!is_blank(c) && c != '\r') ||
	    d->held_n == sizeof(d->held)) {
		d->bad = true;
		give_held(d, out);
	}
}

static void
put_quoted_printable(struct mime_decoder *d, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (d->held_n > 0 && d->held[0] == '=') {
			put_escaped(d, c, out);
			continue;
		}
		if (is_blank(c) || c == '=') {
			if (c == '=' || d->held_n == sizeof(d->held))
				give_held(d, out);
			d->held[d->held_n++] = c;
			continue;
		}
		if (c == '\n' || c == '\r') {
			d->held_n = 0; /* blanks at the end do not count */
			buf_add_char(out, c);
			continue;
		}
		give_held(d, out);
		{
			size_t n = 0;

			while (i + n < in.n && in.p[i + n] != '=' &&
			    in.p[i + n] != ' ' && in.p[i + n] != '\t' &&
			    in.p[i + n] != '\r' && in.p[i + n] != '\n')
				n++;
			buf_add(out, in.p + i, n);
			i += n - 1;
		}
	}
}

void
mime_decoder_put(struct mime_decoder *d, struct span in, struct buf *out)
{
	switch (d->decoding) {
	case DECODE_BASE64:
		put_base64(d, in, out);
		break;
	case DECODE_QUOTED_PRINTABLE:
		put_quoted_printable(d, in, out);
		break;
	default:
		buf_add_span(out, in);
	}
}

void
mime_decoder_end(struct mime_decoder *d, struct buf *out)
{
	char rest[3];

	if (d->decoding == DECODE_BASE64 && d->count > 0)
		buf_add(out, rest, take_bits(d, rest));
	if (d->held_n > 0 && d->held[0] == '=') {
		d->bad |= d->held_n > 1;
		if (d->held_n > 1)
			give_held(d, out);
	}
	d->held_n = 0;
}
