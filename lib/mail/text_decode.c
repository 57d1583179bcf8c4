/* SPDX-License-Identifier: ISC */
#include "lib/mail/text_decode.h"

#include <string.h>

enum { NOT_BASE64 = 64, PADDING = 65, IGNORED = 66 };

enum text_encoding
text_encoding_of(struct span value)
{
	value = span_trim(value);
	if (value.n == 0 || span_is_nocase(value, "7bit") ||
	    span_is_nocase(value, "8bit") || span_is_nocase(value, "binary"))
		return TEXT_IDENTITY;
	if (span_is_nocase(value, "base64"))
		return TEXT_BASE64;
	if (span_is_nocase(value, "quoted-printable"))
		return TEXT_QUOTED_PRINTABLE;
	return TEXT_UNKNOWN;
}

void
text_decode_begin(struct text_decode *d, enum text_encoding encoding)
{
	*d = (struct text_decode){ .encoding = encoding };
}

static const unsigned char *
base64_values(void)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";
	static unsigned char values[256];
	static bool made;

	if (!made) {
		memset(values, NOT_BASE64, sizeof(values));
		for (unsigned char i = 0; i < 64; i++)
			values[(unsigned char)alphabet[i]] = i;
		values['='] = PADDING;
		values['\r'] = values['\n'] = IGNORED;
		values[' '] = values['\t'] = IGNORED;
		made = true;
	}
	return values;
}

/* What is open when padding or the end comes. */
static void
base64_close(struct text_decode *d, struct buf *out)
{
	if (d->have == 2) {
		buf_add_char(out, (char)(d->bits >> 4));
	} else if (d->have == 3) {
		buf_add_char(out, (char)(d->bits >> 10));
		buf_add_char(out, (char)(d->bits >> 2));
	} else if (d->have == 1) {
		d->broken = true;
	}
	d->have = 0;
	d->bits = 0;
}

/* Whole groups of four at the front, without a look at line ends. */
static size_t
base64_fast(const unsigned char *values, struct span in, char *to, size_t *made)
{
	size_t i = 0, n = 0;

	for (; i + 4 <= in.n; i += 4) {
		unsigned char a = values[(unsigned char)in.p[i]];
		unsigned char b = values[(unsigned char)in.p[i + 1]];
		unsigned char c = values[(unsigned char)in.p[i + 2]];
		unsigned char e = values[(unsigned char)in.p[i + 3]];

		if ((a | b | c | e) >= 64)
			break;
		to[n++] = (char)(a << 2 | b >> 4);
		to[n++] = (char)(b << 4 | c >> 2);
		to[n++] = (char)(c << 6 | e);
	}
	*made = n;
	return i;
}

static void
base64_one(struct text_decode *d, unsigned char value, struct buf *out)
{
	if (value == PADDING) {
		/* RFC 2045 section 6.8: some join encoded texts */
		if (d->have == 0 && !d->padded)
			d->broken = true;
		d->padded = true;
		base64_close(d, out);
	} else if (value < 64) {
		d->padded = false;
		d->bits = d->bits << 6 | value;
		if (++d->have == 4) {
			buf_add_char(out, (char)(d->bits >> 16));
			buf_add_char(out, (char)(d->bits >> 8));
			buf_add_char(out, (char)d->bits);
			d->have = 0;
			d->bits = 0;
		}
	} else if (value == NOT_BASE64) {
		d->broken = true;
	}
}

static void
base64_put(struct text_decode *d, struct span in, struct buf *out)
{
	const unsigned char *values = base64_values();

	while (in.n > 0) {
		if (d->have == 0 && in.n >= 4) {
			char piece[3072];
			size_t made;
			size_t n = base64_fast(values, span_take(in, 4096),
			    piece, &made);

			buf_add(out, piece, made);
			if (n > 0)
				d->padded = false;
			in = span_skip(in, n);
			if (n > 0)
				continue;
		}
		base64_one(d, values[(unsigned char)in.p[0]], out);
		in = span_skip(in, 1);
	}
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static void
qp_flush(struct text_decode *d, struct buf *out)
{
	buf_add(out, d->hold, d->held);
	d->held = 0;
}

/* Held: "=", "=4", "=\r" or "=  ": is it complete with this byte? */
static void
qp_escape(struct text_decode *d, char c, struct buf *out)
{
	if (c == '\n') { /* a soft line break, also with blanks before it */
		d->held = 0;
		return;
	}
	if (d->held == 2 && hex(d->hold[1]) >= 0 && hex(c) >= 0) {
		buf_add_char(out, (char)(hex(d->hold[1]) << 4 | hex(c)));
		d->held = 0;
		return;
	}
	if ((d->held == 1 && hex(c) >= 0) ||
	    ((c == ' ' || c == '\t' || c == '\r') &&
		(d->held == 1 || hex(d->hold[1]) < 0))) {
		if (d->held < sizeof(d->hold)) {
			d->hold[d->held++] = c;
			return;
		}
	}
	d->broken = true;
	qp_flush(d, out);
	if (c == '=' || c == ' ' || c == '\t')
		d->hold[d->held++] = c;
	else
		buf_add_char(out, c);
}

static void
qp_blank(struct text_decode *d, char c, struct buf *out)
{
	if (d->held == sizeof(d->hold))
		qp_flush(d, out);
	d->hold[d->held++] = c;
}

static void
qp_one(struct text_decode *d, char c, struct buf *out)
{
	if (d->held > 0 && d->hold[0] == '=') {
		qp_escape(d, c, out);
	} else if (c == ' ' || c == '\t') {
		qp_blank(d, c, out);
	} else if (c == '=') {
		qp_flush(d, out);
		d->hold[d->held++] = c;
	} else if (c == '\r' || c == '\n') {
		/* RFC 2045 section 6.7: blanks there were added in transit */
		d->held = 0;
		buf_add_char(out, c);
	} else {
		qp_flush(d, out);
		buf_add_char(out, c);
	}
}

static void
qp_put(struct text_decode *d, struct span in, struct buf *out)
{
	size_t i = 0;

	while (i < in.n) {
		size_t run = i;

		if (d->held == 0) {
			while (run < in.n && in.p[run] != '=' &&
			    in.p[run] != ' ' && in.p[run] != '\t')
				run++;
			buf_add(out, in.p + i, run - i);
			i = run;
		}
		if (i < in.n)
			qp_one(d, in.p[i++], out);
	}
}

void
text_decode_put(struct text_decode *d, struct span in, struct buf *out)
{
	if (d->encoding == TEXT_BASE64)
		base64_put(d, in, out);
	else if (d->encoding == TEXT_QUOTED_PRINTABLE)
		qp_put(d, in, out);
	else
		buf_add_span(out, in);
}

void
text_decode_end(struct text_decode *d, struct buf *out)
{
	if (d->encoding == TEXT_BASE64) {
		d->broken = d->broken || d->have > 0;
		base64_close(d, out);
	} else if (d->encoding == TEXT_QUOTED_PRINTABLE) {
		if (d->held == 1 && d->hold[0] == '=')
			d->held = 0; /* a soft line break at the end */
		d->broken = d->broken || (d->held > 0 && d->hold[0] == '=');
		if (d->held > 0 && d->hold[0] == '=')
			qp_flush(d, out);
		d->held = 0;
	}
}
