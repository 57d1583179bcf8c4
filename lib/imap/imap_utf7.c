/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_utf7.h"

#include <string.h>
#include <unistr.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

struct encoder {
	struct buf *out;
	bool shifted; /* in base64 */
	uint32_t bits; /* waiting, below 6 */
	unsigned int count;
};

static void
put_unit(struct encoder *e, uint32_t unit)
{
	if (!e->shifted)
		buf_add_char(e->out, '&');
	e->shifted = true;
	e->bits = e->bits << 16 | unit;
	for (e->count += 16; e->count >= 6; e->count -= 6)
		buf_add_char(e->out, digits[e->bits >> (e->count - 6) & 63]);
	e->bits &= (1u << e->count) - 1;
}

static void
shift_out(struct encoder *e)
{
	if (!e->shifted)
		return;
	if (e->count > 0)
		buf_add_char(e->out, digits[e->bits << (6 - e->count) & 63]);
	buf_add_char(e->out, '-');
	*e = (struct encoder){ .out = e->out };
}

static void
put_character(struct encoder *e, ucs4_t c)
{
	if (c >= 0x20 && c < 0x7f) {
		shift_out(e);
		buf_add_char(e->out, (char)c);
		if (c == '&')
			buf_add_char(e->out, '-');
	} else if (c < 0x10000) {
		put_unit(e, c);
	} else {
		put_unit(e, 0xd800 | (c - 0x10000) >> 10);
		put_unit(e, 0xdc00 | ((c - 0x10000) & 0x3ff));
	}
}

void
imap_utf7_encode(struct buf *out, struct span utf8)
{
	struct encoder e = { .out = out };
	ucs4_t c;
	int n;

	while (utf8.n > 0) {
		n = u8_mbtoucr(&c, (const uint8_t *)utf8.p, utf8.n);
		if (n <= 0) {
			c = 0xfffd;
			n = 1;
		}
		put_character(&e, c);
		utf8 = span_skip(utf8, (size_t)n);
	}
	shift_out(&e);
}

static void
put_utf8(struct buf *out, ucs4_t c)
{
	uint8_t room[6];
	int n = u8_uctomb(room, c, sizeof(room));

	if (n > 0)
		buf_add(out, room, (size_t)n);
}

/* One unit of UTF-16; "high" is the first half of a pair that waits. */
static bool
take_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	if (unit >= 0xdc00 && unit < 0xe000) {
		if (*high == 0)
			return false;
		put_utf8(out,
		    0x10000 + ((*high & 0x3ff) << 10) + (unit & 0x3ff));
		*high = 0;
		return true;
	}
	if (*high != 0 || (unit >= 0x20 && unit < 0x7f))
		return false;
	if (unit >= 0xd800 && unit < 0xdc00)
		*high = unit;
	else
		put_utf8(out, unit);
	return true;
}

/* What is between "&" and "-". */
static bool
decode_run(struct buf *out, struct span run)
{
	uint32_t bits = 0, high = 0;
	unsigned int count = 0;

	for (size_t i = 0; i < run.n; i++) {
		const char *digit = memchr(digits, run.p[i], 64);

		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
		if ((count += 6) < 16)
			continue;
		count -= 16;
		if (!take_unit(out, bits >> count & 0xffff, &high))
			return false;
		bits &= (1u << count) - 1;
	}
	return high == 0 && count < 6 && bits == 0;
}

bool
imap_utf7_decode(struct buf *out, struct span wire)
{
	bool after_run = false;

	while (wire.n > 0) {
		struct span run;

		if (wire.p[0] < ' ' || wire.p[0] >= 0x7f)
			return false;
		if (wire.p[0] != '&') {
			buf_add_char(out, wire.p[0]);
			wire = span_skip(wire, 1);
			after_run = false;
			continue;
		}
		wire = span_skip(wire, 1);
		run = span_take(wire, span_find(wire, '-'));
		if (run.n == wire.n || (run.n > 0 && after_run))
			return false;
		wire = span_skip(wire, run.n + 1);
		after_run = run.n > 0;
		if (run.n == 0)
			buf_add_char(out, '&');
		else if (!decode_run(out, run))
			return false;
	}
	return !out->overflow;
}
