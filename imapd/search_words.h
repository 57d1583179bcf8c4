/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_WORDS_H
#define IMAPD_SEARCH_WORDS_H

/*
 * Which messages cannot have a text in them: a signature of each message
 * (CACHE_WORDS) says for every three bytes that follow each other in its
 * folded text that they may be there. A text whose three-byte pieces are not
 * all there is not in the message, and the message need not be read. It is
 * never wrong about that; that a text may be there has to be checked.
 *
 * It is a Bloom filter of one hash, halved as long as it stays sparse enough:
 * about three bits for each different piece, 256 to 1024 bytes for 4 KiB of
 * prose, at most 8 KiB.
 */

#include "lib/base/buf.h"

enum {
	SEARCH_WORDS_BITS = 65536, /* at most */
	/* a signature is not longer than its text and this */
	SEARCH_WORDS_LEAST = 64,
	SEARCH_WORDS_PIECE = 3, /* bytes; shorter texts are always possible */
};

struct search_words {
	size_t size; /* bits in use, while they are gathered a byte each */
	/* and behind it room for its halves put together, again and again */
	unsigned char seen[2 * SEARCH_WORDS_BITS];
	uint32_t last; /* bytes before */
	unsigned int have; /* of those, up to two */
};

/* "size": how much text may come, about. */
void search_words_begin(struct search_words *w, uint64_t size);
/* Text that goes on where the last one ended. */
void search_words_put(struct search_words *w, struct span folded);
/* What comes next has nothing to do with what came before. */
void search_words_break(struct search_words *w);
void search_words_end(struct search_words *w, struct buf *signature);

/* Is it one, of today's form? Another is to be made anew. */
bool search_words_known(struct span signature);

/* A text to look for: hashes of its pieces. */
struct search_needle {
	uint16_t *hashes;
	size_t count;
};

/* The hashes are to be freed. */
void search_needle_make(struct search_needle *n, struct span folded);
/* The same of what was put so far; texts are not there that it says so of. */
bool search_words_may_have_yet(const struct search_words *w,
    const struct search_needle *n);
/* False: it is not there. True for what is no signature. */
bool
search_words_may_have(struct span signature, const struct search_needle *n);

#endif
