/* SPDX-License-Identifier: ISC */
#include "lib/base/base64.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
value_of(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* Decodes one group of four; the number of bytes, or -1. */
static int
group(const char *in, bool last, unsigned char out[3])
{
	int pad = in[3] != '=' ? 0 : in[2] != '=' ? 1 : 2;
	uint32_t bits = 0;

	if (pad > 0 && !last)
		return -1;
	for (int i = 0; i < 4 - pad; i++) {
		int v = value_of(in[i]);

		if (v < 0)
			return -1;
		bits |= (uint32_t)v << (18 - 6 * i);
	}
	if ((pad == 1 && (bits & 0xff)) || (pad == 2 && (bits & 0xffff)))
		return -1;
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8);
	out[2] = (unsigned char)bits;
	return 3 - pad;
}

bool
base64_decode(struct span text, struct buf *out)
{
	size_t before = out->n;

	if (text.n % 4 != 0)
		return false;
	for (size_t i = 0; i < text.n; i += 4) {
		unsigned char bytes[3];
		int n = group(text.p + i, i + 4 == text.n, bytes);

		if (n < 0 || !buf_add(out, bytes, (size_t)n)) {
			out->n = before;
			if (out->p != NULL)
				out->p[before] = '\0';
			return false;
		}
	}
	return true;
}

bool
base64_encode(struct span bytes, struct buf *out)
{
	char *to = buf_reserve(out, (bytes.n + 2) / 3 * 4);
	const unsigned char *in = (const unsigned char *)bytes.p;
	char *at = to;

	if (to == NULL)
		return false;
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t bits = (uint32_t)in[i] << 16;

		if (left > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			bits |= in[i + 2];
		*at++ = alphabet[bits >> 18 & 63];
		*at++ = alphabet[bits >> 12 & 63];
		*at++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		*at++ = left > 2 ? alphabet[bits & 63] : '=';
	}
	buf_added(out, (size_t)(at - to));
	return true;
}
