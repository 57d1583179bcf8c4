/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_SPAN_H
#define LIB_BASE_SPAN_H

/*
 * A piece of text or bytes that somebody else owns: pointer and length, not
 * terminated. The form in which everything that comes from outside is read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })
#define SPAN_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

/* The whole of a terminated string; NULL gives the empty span. */
struct span span_of(const char *text);

bool span_equal(struct span a, struct span b);
/* ASCII letters compare without case. */
bool span_equal_nocase(struct span a, struct span b);
bool span_is(struct span s, const char *text);
bool span_is_nocase(struct span s, const char *text);
bool span_starts(struct span s, const char *text);
bool span_starts_nocase(struct span s, const char *text);
bool span_ends_nocase(struct span s, const char *text);
/* Position of the first byte c, or s.n where there is none. */
size_t span_find(struct span s, char c);
size_t span_rfind(struct span s, char c);
static inline struct span
span_skip(struct span s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct span){ n ? s.p + n : s.p, s.n - n };
}

static inline struct span
span_take(struct span s, size_t n)
{
	return (struct span){ s.p, n < s.n ? n : s.n };
}

/* Without spaces, tabs, CR and LF at both ends. */
struct span span_trim(struct span s);
/*
 * Cuts the part before the first of the bytes in "separators" off *rest;
 * the separator goes. False when *rest is empty. With skip_empty, runs of
 * separators count as one.
 */
bool span_cut(struct span *rest, const char *separators, bool skip_empty,
    struct span *part);
/* A decimal number of digits only, no sign, no overflow, at most max. */
bool span_u64(struct span s, uint64_t max, uint64_t *out);
/* Holds a NUL, a CR or a LF? */
bool span_has_break(struct span s);
/* Holds an ASCII control character: below a blank, or DEL? */
bool span_has_control(struct span s);
bool span_is_ascii(struct span s);

#endif
