/* SPDX-License-Identifier: ISC */
/*
 * Message ids, normalized: what quotes and backslashes meant, without them.
 * The hash is SipHash-2-4 with 128 bits of result (Aumasson, Bernstein) under
 * a key that everybody may know: what it must be is even, and long enough
 * that no two ids meet by chance.
 */
#include "imapd/sort_key.h"

#include <string.h>

enum { ID_MAX = 1000 };

static uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void
round_of(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t
word_at(const char *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)(unsigned char)p[i] << 8 * i;
	return word;
}

static void
compress(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	round_of(v);
	round_of(v);
	v[0] ^= word;
}

struct message_id
message_id_hash(struct span s)
{
	const uint64_t k0 = 0x506f737468617374ULL, k1 = 0x6d6573736167652dULL;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL ^ 0xee, k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL };
	struct message_id out;
	size_t i;

	for (i = 0; i + 8 <= s.n; i += 8)
		compress(v, word_at(s.p + i, 8));
	compress(v, word_at(s.p + i, s.n - i) | (uint64_t)s.n << 56);
	v[2] ^= 0xee;
	for (int k = 0; k < 4; k++)
		round_of(v);
	out.half[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
	v[1] ^= 0xdd;
	for (int k = 0; k < 4; k++)
		round_of(v);
	out.half[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
	return out;
}

/* What is between "<" and ">"; how far it goes, 0: it is none. */
static size_t
read_id(struct span s, char id[ID_MAX], size_t *length)
{
	bool quoted = false, at = false;
	size_t n = 0, i;

	for (i = 1; i < s.n; i++) {
		char c = s.p[i];

		if (c == '<' || (c == '>' && !quoted))
			break;
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (!quoted && strchr(" \t\r\n", c) != NULL && c != '\0')
			continue;
		if (c == '\\' && quoted && i + 1 < s.n)
			c = s.p[++i];
		at = at || (c == '@' && n > 0);
		if (n < ID_MAX)
			id[n++] = c;
	}
	*length = n;
	return i < s.n && s.p[i] == '>' && at && n < ID_MAX &&
		id[n - 1] != '@' ?
	    i + 1 :
	    0;
}

bool
message_id_next(struct span *rest, struct message_id *out)
{
	char id[ID_MAX];
	size_t length, n;

	for (;;) {
		*rest = span_skip(*rest, span_find(*rest, '<'));
		if (rest->n == 0)
			return false;
		n = read_id(span_take(*rest, 2 * ID_MAX), id, &length);
		*rest = span_skip(*rest, n > 0 ? n : 1);
		if (n > 0) {
			*out = message_id_hash((struct span){ id, length });
			return true;
		}
	}
}
