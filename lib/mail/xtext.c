/* SPDX-License-Identifier: ISC */
#include "lib/mail/xtext.h"

#include <unistr.h>

#include "lib/base/hex.h"
#include "lib/mail/mail_address.h"

static bool
is_xchar(char c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

bool
xtext_encode(struct span bytes, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char c = (unsigned char)bytes.p[i];
		char encoded[3] = { '+', digits[c >> 4], digits[c & 15] };

		if (is_xchar((char)c))
			buf_add_char(out, (char)c);
		else
			buf_add(out, encoded, sizeof(encoded));
	}
	return !out->overflow;
}

/* One "+XX" at text.p[at]; the byte, or -1. NUL is refused. */
static int
hex_pair(struct span text, size_t at)
{
	int high, low;

	if (text.n - at < 3)
		return -1;
	high = hex_upper_digit(text.p[at + 1]);
	low = hex_upper_digit(text.p[at + 2]);
	if (high < 0 || low < 0 || (high | low) == 0)
		return -1;
	return high << 4 | low;
}

bool
xtext_decode(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		int byte = (unsigned char)text.p[i];

		if (byte == '+') {
			byte = hex_pair(text, i);
			if (byte < 0)
				return false;
			i += 2;
		} else if (!is_xchar(text.p[i])) {
			return false;
		}
		if (!buf_add_char(out, (char)byte))
			return false;
	}
	return true;
}

bool
envid_decode(struct span text, struct buf *out)
{
	size_t before = out->n;

	if (!xtext_decode(text, out))
		return false;
	text = span_skip(buf_span(out), before);
	return text.n > 0 && span_is_ascii(text) && !span_has_control(text);
}

/* "\x{41}" (EmbeddedUnicodeChar of RFC 6533) at the front of *text. */
static bool
unicode_escape(struct span *text, struct buf *out)
{
	uint8_t bytes[6];
	ucs4_t c = 0;
	size_t close = span_find(*text, '}');
	int n;

	if (!span_starts(*text, "\\x{") || close == text->n || close < 5 ||
	    close > 9)
		return false;
	for (size_t i = 3; i < close; i++) {
		int digit = hex_upper_digit(text->p[i]);

		if (digit < 0)
			return false;
		c = c << 4 | (ucs4_t)digit;
	}
	n = c == 0 ? -1 : u8_uctomb(bytes, c, sizeof(bytes));
	*text = span_skip(*text, close + 1);
	return n > 0 && buf_add(out, bytes, (size_t)n);
}

static bool
utf8_decode(struct span text, struct buf *out)
{
	while (text.n > 0) {
		char c = text.p[0];

		if (c == '\\') {
			if (!unicode_escape(&text, out))
				return false;
			continue;
		}
		if (c == '=' || (unsigned char)c <= ' ' || c == 0x7f ||
		    !buf_add_char(out, c))
			return false;
		text = span_skip(text, 1);
	}
	return true;
}

bool
orcpt_decode(struct span text, struct buf *out)
{
	size_t before = out->n;
	size_t semicolon = span_find(text, ';');
	struct span type = span_take(text, semicolon);
	struct span value = span_skip(text, semicolon + 1);
	bool utf8 = span_is_nocase(type, "utf-8");

	if (semicolon == text.n || value.n == 0 ||
	    !mail_address_is_dot_atom(type) || !span_is_ascii(type))
		return false;
	if (!buf_add_span(out, type) || !buf_add_char(out, ';') ||
	    !(utf8 ? utf8_decode(value, out) : xtext_decode(value, out)))
		return false;
	text = span_skip(buf_span(out), before);
	return !span_has_control(text) && mail_is_utf8(text);
}

/* utf-8-addr-unitext where "raw", else utf-8-addr-xtext. */
static bool
utf8_encode(struct span value, bool raw, struct buf *out)
{
	while (value.n > 0) {
		ucs4_t c = 0;
		int n = u8_mbtoucr(&c, (const uint8_t *)value.p, value.n);

		if (n <= 0)
			return false;
		if (c > ' ' && c != 0x7f && c != '\\' && c != '+' && c != '=' &&
		    (raw || c < 0x7f))
			buf_add(out, value.p, (size_t)n);
		else
			buf_printf(out, "\\x{%02X}", c);
		value = span_skip(value, (size_t)n);
	}
	return !out->overflow;
}

bool
orcpt_encode(struct span orcpt, bool utf8, struct buf *out)
{
	size_t semicolon = span_find(orcpt, ';');
	struct span type = span_take(orcpt, semicolon);
	struct span value = span_skip(orcpt, semicolon + 1);

	if (semicolon == orcpt.n || !buf_add_span(out, type) ||
	    !buf_add_char(out, ';'))
		return false;
	if (span_is_nocase(type, "utf-8"))
		return utf8_encode(value, utf8, out);
	return xtext_encode(value, out);
}
