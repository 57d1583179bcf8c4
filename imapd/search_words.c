/* SPDX-License-Identifier: ISC */
#include "imapd/search_words.h"

#include <string.h>

#include "lib/base/mem.h"

/*
 * A signature: version, then the bits, 2^n of them. The bit of a piece in a
 * filter of 2^n bits is the low n bits of its hash, so one filter becomes the
 * next smaller one by putting its halves over each other.
 */
enum {
	VERSION = 1,
	SMALLEST = 256, /* bits */
	WORD = 64,
	/* of 64 bits, at most this many set on average */
	FULL = 26,
};

static uint16_t
hash(uint32_t piece)
{
	return (uint16_t)(piece * 0x9e3779b1U >> 16);
}

void
search_words_begin(struct search_words *w, uint64_t size)
{
	size_t words = SMALLEST / WORD;

	/* four bits for each byte are plenty: most pieces come again */
	while (words < SEARCH_WORDS_BITS / WORD && words * WORD < 4 * size)
		words *= 2;
	memset(w->bits, 0, words * sizeof(w->bits[0]));
	w->words = words;
	w->last = 0;
	w->have = 0;
}

void
search_words_break(struct search_words *w)
{
	w->have = 0;
}

void
search_words_put(struct search_words *w, struct span folded)
{
	size_t mask = w->words * WORD - 1;
	uint32_t last = w->last;
	size_t i = 0;

	for (; i < folded.n && w->have < 2; i++, w->have++)
		last = last << 8 | (unsigned char)folded.p[i];
	for (; i < folded.n; i++) {
		size_t h;

		last = (last << 8 | (unsigned char)folded.p[i]) & 0xffffff;
		h = hash(last) & mask;
		w->bits[h / WORD] |= 1ULL << h % WORD;
	}
	w->last = last;
}

static size_t
set_bits(const uint64_t *bits, size_t words, size_t other)
{
	size_t n = 0;

	for (size_t i = 0; i < words; i++)
		n += (size_t)__builtin_popcountll(bits[i] | bits[other + i]);
	return n;
}

void
search_words_end(struct search_words *w, struct buf *signature)
{
	size_t words = w->words;

	while (words > SMALLEST / WORD &&
	    set_bits(w->bits, words / 2, words / 2) <= FULL * words / 2) {
		words /= 2;
		for (size_t i = 0; i < words; i++)
			w->bits[i] |= w->bits[words + i];
	}
	buf_reset(signature);
	buf_add_char(signature, VERSION);
	for (size_t i = 0; i < words; i++) {
		char bytes[8];

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (char)(w->bits[i] >> 8 * k);
		buf_add(signature, bytes, sizeof(bytes));
	}
}

void
search_needle_make(struct search_needle *n, struct span folded)
{
	size_t pieces = folded.n < SEARCH_WORDS_PIECE ?
	    0 :
	    folded.n - SEARCH_WORDS_PIECE + 1;
	uint32_t last = 0;

	n->count = 0;
	n->hashes = mem_array(pieces + 1, sizeof(n->hashes[0]));
	for (size_t i = 0; i < folded.n && pieces > 0; i++) {
		last = (last << 8 | (unsigned char)folded.p[i]) & 0xffffff;
		if (i + 1 >= SEARCH_WORDS_PIECE)
			n->hashes[n->count++] = hash(last);
	}
}

bool
search_words_may_have(struct span signature, const struct search_needle *n)
{
	const unsigned char *bits;
	size_t mask;

	if (signature.n < 1 + SMALLEST / 8 || signature.p[0] != VERSION)
		return true;
	mask = (signature.n - 1) * 8 - 1;
	if ((mask & (mask + 1)) != 0 || mask >= SEARCH_WORDS_BITS)
		return true;
	bits = (const unsigned char *)signature.p + 1;
	for (size_t i = 0; i < n->count; i++) {
		size_t bit = n->hashes[i] & mask;

		if ((bits[bit / 8] >> bit % 8 & 1) == 0)
			return false;
	}
	return true;
}
