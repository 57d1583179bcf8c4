/* SPDX-License-Identifier: ISC */
#include "lib/mail/collate.h"

#include <stdatomic.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

enum {
	KNOWN = 0x800, /* characters whose mapping is kept */
	MAPPED_MAX = 64,
	DEEPEST = 8, /* of decompositions within decompositions; 3 in fact */
};

/* RFC 5051 section 2 (2): decomposes until nothing is left to decompose. */
static void
decompose(ucs4_t c, int depth, struct buf *out)
{
	ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
	uint8_t utf8[6];
	int tag, n;

	n = depth < DEEPEST ? uc_decomposition(c, &tag, parts) : -1;
	if (n < 0) {
		n = u8_uctomb(utf8, c, sizeof(utf8));
		if (n > 0)
			buf_add(out, utf8, (size_t)n);
		return;
	}
	for (int i = 0; i < n; i++)
		decompose(parts[i], depth + 1, out);
}

/*
 * The scripts of two-byte UTF-8 are looked up once, by whichever thread comes
 * first.
 */
static void
fold_character(ucs4_t c, struct buf *out)
{
	enum { NOT_YET = 0, BEING_MADE = 255 };
	static struct {
		_Atomic uint8_t n;
		char text[15];
	} known[KNOWN];
	struct buf one = BUF_INIT(MAPPED_MAX);
	uint8_t n = NOT_YET;

	if (c < KNOWN &&
	    (n = atomic_load_explicit(&known[c].n, memory_order_acquire)) !=
		NOT_YET &&
	    n != BEING_MADE) {
		buf_add(out, known[c].text, n);
		return;
	}
	decompose(uc_totitle(c), 0, &one);
	if (c < KNOWN && one.n < sizeof(known[c].text) && n == NOT_YET &&
	    atomic_compare_exchange_strong(&known[c].n, &n, BEING_MADE)) {
		memcpy(known[c].text, one.p, one.n);
		atomic_store_explicit(&known[c].n, (uint8_t)one.n,
		    memory_order_release);
	}
	buf_add_span(out, buf_span(&one));
	buf_fini(&one);
}

static char
upper(char c)
{
	return (char)(c - (c >= 'a' && c <= 'z' ? 'a' - 'A' : 0));
}

/* ASCII at the front, as many bytes as there are. */
static size_t
fold_ascii(struct span s, char *to)
{
	size_t i = 0;

	while (i < s.n && ((unsigned char)s.p[i] & 0x80) == 0) {
		to[i] = upper(s.p[i]);
		i++;
	}
	return i;
}

/* Each of these eight bytes below 0x80 that is a small letter, as a capital. */
static uint64_t
upper_word(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101ULL;
	uint64_t from_a = word + (0x80 - 'a') * ones;
	uint64_t above_z = word + (0x80 - 'z' - 1) * ones;

	return word - ((from_a & ~above_z & 0x80 * ones) >> 2);
}

/* Eight bytes at a time where all of them are ASCII. */
static size_t
fold_ascii_blocks(struct span s, char *to)
{
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		uint64_t word;

		memcpy(&word, s.p + i, sizeof(word));
		if ((word & 0x8080808080808080ULL) != 0)
			break;
		word = upper_word(word);
		memcpy(to + i, &word, sizeof(word));
	}
	return i + fold_ascii(span_skip(s, i), to + i);
}

void
collate_fold(struct span utf8, struct buf *out)
{
	while (utf8.n > 0) {
		char *to = buf_reserve(out, utf8.n);
		ucs4_t c;
		int n;

		if (to == NULL)
			return;
		n = (int)fold_ascii_blocks(utf8, to);
		buf_added(out, (size_t)n);
		utf8 = span_skip(utf8, (size_t)n);
		/* one alphabet's words follow each other */
		while (utf8.n > 0 && ((unsigned char)*utf8.p & 0x80) != 0) {
			n = u8_mbtoucr(&c, (const uint8_t *)utf8.p, utf8.n);
			if (n > 0)
				fold_character(c, out);
			else
				buf_add_char(out, *utf8.p);
			utf8 = span_skip(utf8, n > 0 ? (size_t)n : 1);
		}
	}
}
