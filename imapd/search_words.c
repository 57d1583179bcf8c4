/* SPDX-License-Identifier: ISC */
#include "imapd/search_words.h"

#include <endian.h>
#include <string.h>

#include "lib/base/mem.h"

/*
 * A signature: version, then the bits, 2^n of them. The bit of a piece in a
 * filter of 2^n bits is the low n bits of its hash, so one filter becomes the
 * next smaller one by putting its halves over each other.
 */
enum {
	VERSION = 2,
	SMALLEST = 256, /* bits */
	WORD = 64,
	/* of 64 bits, at most this many set on average */
	FULL = 26,
};

enum { LANES = 8, MIX_HEAD = 0x9e37, MIX_LAST = 0xb5c7, MIX = 0x2c1b };

/* As many numbers as a processor takes at once. */
typedef uint16_t lanes __attribute__((vector_size(LANES * sizeof(uint16_t))));

/* The piece's bytes a, b, c from the lowest; in steps that lanes can take. */
static uint16_t
hash(uint32_t piece)
{
	uint16_t h =
	    (uint16_t)((piece & 0xffff) * MIX_HEAD + (piece >> 16) * MIX_LAST);

	h ^= h >> 7;
	h = (uint16_t)((uint32_t)h * MIX);
	return h ^ h >> 9;
}

/* p[0] and p[1], p[2] and p[3], ..., the first of two as the lower half. */
static lanes
load(const char *p)
{
	lanes l;

	memcpy(&l, p, sizeof(l));
	return htole16(1) == 1 ? l : (l << 8 | l >> 8);
}

/* Of the pieces that begin at p, p + 2, ... p + 14. */
static lanes
hash_lanes(const char *p)
{
	lanes h =
	    load(p) * (uint16_t)MIX_HEAD + (load(p + 2) & 0xff) * MIX_LAST;

	h ^= h >> 7;
	h *= MIX;
	return h ^ h >> 9;
}

static void
set_lanes(unsigned char *seen, lanes h)
{
	uint16_t at[LANES];

	memcpy(at, &h, sizeof(at));
	seen[at[0]] = 1;
	seen[at[1]] = 1;
	seen[at[2]] = 1;
	seen[at[3]] = 1;
	seen[at[4]] = 1;
	seen[at[5]] = 1;
	seen[at[6]] = 1;
	seen[at[7]] = 1;
}

void
search_words_begin(struct search_words *w, uint64_t size)
{
	/* two bits for each byte are plenty: most pieces come again */
	w->size = SMALLEST;
	while (w->size < SEARCH_WORDS_BITS && w->size < 2 * size)
		w->size *= 2;
	memset(w->seen, 0, w->size);
	w->last = 0;
	w->have = 0;
}

void
search_words_break(struct search_words *w)
{
	w->have = 0;
}

static uint32_t
shift_in(uint32_t last, char c)
{
	return last >> 8 | (uint32_t)(unsigned char)c << 16;
}

/* Pieces that begin and end in here; how many. */
static size_t
put_inner(struct search_words *w, struct span folded)
{
	enum { TAKEN = 2 * LANES, SEEN = TAKEN + SEARCH_WORDS_PIECE };
	uint16_t mask = (uint16_t)(w->size - 1);
	size_t i;

	/* all mail comes by here: no step waits for the one before */
	for (i = 0; i + SEEN <= folded.n; i += TAKEN) {
		set_lanes(w->seen, hash_lanes(folded.p + i) & mask);
		set_lanes(w->seen, hash_lanes(folded.p + i + 1) & mask);
	}
	return i;
}

void
search_words_put(struct search_words *w, struct span folded)
{
	size_t i = put_inner(w, folded), mask = w->size - 1;

	/* pieces that began before, and the last ones in here */
	for (size_t k = 0; k < folded.n; k++) {
		if (k == SEARCH_WORDS_PIECE - 1 && k < i) {
			w->have = 0;
			k = i;
		}
		w->last = shift_in(w->last, folded.p[k]);
		if (w->have < SEARCH_WORDS_PIECE - 1)
			w->have++;
		else
			w->seen[hash(w->last) & mask] = 1;
	}
}

/* Eight bytes of 0 or 1 as bits, the first as the lowest. */
static uint64_t
pack(const unsigned char *seen)
{
	uint64_t eight;

	memcpy(&eight, seen, sizeof(eight));
	return le64toh(eight) * 0x0102040810204080ULL >> 56;
}

static size_t
pack_all(const unsigned char *seen, size_t size, uint64_t *bits)
{
	size_t words = size / WORD;

	for (size_t i = 0; i < words; i++) {
		bits[i] = 0;
		for (unsigned int k = 0; k < WORD; k += 8)
			bits[i] |= pack(seen + i * WORD + k) << k;
	}
	return words;
}

/* Bytes of 0 or 1, as many as a processor takes at once. */
enum { BLOCK = 16, ROUNDS = 255 /* whose sums fit a byte */ };

typedef unsigned char block __attribute__((vector_size(BLOCK)));

static block
either(const unsigned char *p, const unsigned char *other)
{
	block a, b;

	memcpy(&a, p, sizeof(a));
	memcpy(&b, other, sizeof(b));
	return a | b;
}

/* Puts the halves of "seen" over each other; how many are set then. */
static size_t
put_together(const unsigned char *seen, size_t half, unsigned char *to)
{
	size_t n = 0, i = 0;

	while (i < half) {
		block sums = { 0 };

		for (int k = 0; k < ROUNDS && i < half; k++, i += BLOCK) {
			block both = either(seen + i, seen + half + i);

			memcpy(to + i, &both, sizeof(both));
			sums += both;
		}
		for (int k = 0; k < BLOCK; k++)
			n += sums[k];
	}
	return n;
}

void
search_words_end(struct search_words *w, struct buf *signature)
{
	uint64_t bits[SEARCH_WORDS_BITS / WORD];
	const unsigned char *seen = w->seen;
	unsigned char *next = w->seen + w->size;
	size_t words;

	/* each lies behind the one that it was made of */
	while (w->size > SMALLEST &&
	    put_together(seen, w->size / 2, next) <=
		FULL * (w->size / 2 / WORD)) {
		w->size /= 2;
		seen = next;
		next += w->size;
	}
	words = pack_all(seen, w->size, bits);
	for (size_t i = 0; i < words; i++)
		bits[i] = htole64(bits[i]);
	buf_reset(signature);
	buf_add_char(signature, VERSION);
	buf_add(signature, bits, words * sizeof(bits[0]));
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
		last = shift_in(last, folded.p[i]);
		if (i + 1 >= SEARCH_WORDS_PIECE)
			n->hashes[n->count++] = hash(last);
	}
}

bool
search_words_known(struct span signature)
{
	return signature.n > 0 && signature.p[0] == VERSION;
}

bool
search_words_may_have_yet(const struct search_words *w,
    const struct search_needle *n)
{
	size_t mask = w->size - 1;

	for (size_t i = 0; i < n->count; i++)
		if (w->seen[n->hashes[i] & mask] == 0)
			return false;
	return true;
}

bool
search_words_may_have(struct span signature, const struct search_needle *n)
{
	const unsigned char *bits;
	size_t mask;

	if (signature.n < 1 + SMALLEST / 8 || !search_words_known(signature))
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
