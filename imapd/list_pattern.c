/* SPDX-License-Identifier: ISC */
#include "imapd/list_pattern.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

enum { WORD_BITS = 64, WORDS_MAX = LIST_PATTERN_MAX / WORD_BITS + 1 };

/*
 * The pattern as an automaton. Its state i is: the first i elements have
 * matched; a set of states is a row of bits.
 */
struct list_pattern {
	char separator;
	bool levels;
	size_t count; /* elements; this state is the end */
	size_t words;
	/* elements that are wild, and those of them that stop at separators */
	uint64_t wild[WORDS_MAX], level[WORDS_MAX];
	/* for each byte: elements that are this byte; "words" in a row */
	uint64_t *bytes;
};

static void
set_bit(uint64_t *row, size_t i)
{
	row[i / WORD_BITS] |= UINT64_C(1) << (i % WORD_BITS);
}

/* "*%", "%*" and "**" are "*"; "%%" is "%". So no two wild ones touch. */
static bool
add_wild(struct list_pattern *p, char c)
{
	size_t last = p->count - 1;
	bool touches = p->count > 0 &&
	    (p->wild[last / WORD_BITS] >> (last % WORD_BITS) & 1) != 0;

	if (touches) {
		if (c == '*')
			p->level[last / WORD_BITS] &=
			    ~(UINT64_C(1) << (last % WORD_BITS));
		return true;
	}
	if (p->count == LIST_PATTERN_MAX)
		return false;
	set_bit(p->wild, p->count);
	if (c == '%')
		set_bit(p->level, p->count);
	p->count++;
	return true;
}

static bool
add_byte(struct list_pattern *p, unsigned char c)
{
	if (p->count == LIST_PATTERN_MAX)
		return false;
	set_bit(p->bytes + c * p->words, p->count++);
	return true;
}

struct list_pattern *
list_pattern_new(struct span text, char separator)
{
	struct list_pattern *p = mem_new(sizeof(*p));
	bool fits = true;

	p->separator = separator;
	p->words = (text.n < LIST_PATTERN_MAX ? text.n : LIST_PATTERN_MAX) /
		WORD_BITS +
	    1;
	p->bytes = mem_array(256 * p->words, sizeof(*p->bytes));
	for (size_t i = 0; i < text.n && fits; i++) {
		if (text.p[i] == '%')
			p->levels = true;
		fits = text.p[i] == '*' || text.p[i] == '%' ?
		    add_wild(p, text.p[i]) :
		    add_byte(p, (unsigned char)text.p[i]);
	}
	if (!fits)
		list_pattern_free(&p);
	return p;
}

void
list_pattern_free(struct list_pattern **p)
{
	if (*p == NULL)
		return;
	free((*p)->bytes);
	free(*p);
	*p = NULL;
}

/* A wild element may also stand for nothing: its next state is reached too. */
static void
skip_wild(const struct list_pattern *p, uint64_t *now)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < p->words; i++) {
		uint64_t wild = now[i] & p->wild[i];

		now[i] |= wild << 1 | carry;
		carry = wild >> (WORD_BITS - 1);
	}
}

/* "other": the same letter in its other case, or the same byte again. */
static void
step(const struct list_pattern *p, uint64_t *now, unsigned char c,
    unsigned char other)
{
	const uint64_t *is = p->bytes + c * p->words;
	const uint64_t * or = p->bytes + other * p->words;
	bool stop = (char)c == p->separator;
	uint64_t carry = 0;

	for (size_t i = 0; i < p->words; i++) {
		uint64_t taken = now[i] & (is[i] | or [i]);
		uint64_t stay = now[i] & p->wild[i];

		if (stop)
			stay &= ~p->level[i];
		now[i] = stay | taken << 1 | carry;
		carry = taken >> (WORD_BITS - 1);
	}
	skip_wild(p, now);
}

static bool
below_inbox(const char *name, char separator)
{
	return strncmp(name, "INBOX", 5) == 0 &&
	    (name[5] == '\0' || name[5] == separator);
}

bool
list_pattern_match(const struct list_pattern *p, const char *name)
{
	size_t folded = below_inbox(name, p->separator) ? 5 : 0;
	uint64_t now[WORDS_MAX] = { 1 };

	skip_wild(p, now);
	for (size_t i = 0; name[i] != '\0'; i++) {
		unsigned char c = (unsigned char)name[i];

		step(p, now, c, i < folded ? c + ('a' - 'A') : c);
	}
	return (now[p->count / WORD_BITS] >> (p->count % WORD_BITS) & 1) != 0;
}

bool
list_pattern_levels(const struct list_pattern *p)
{
	return p->levels;
}
