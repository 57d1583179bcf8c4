/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_PATTERN_NEEDS_H
#define LIB_TABLE_PATTERN_NEEDS_H

/*
 * What a text must hold for a pattern to match it at all: bytes that it begins
 * with, and bytes that are somewhere in it. Most rules of a table do not match
 * most keys, and to see that from these takes a hundredth of the time.
 *
 * Only what is the same in POSIX extended patterns and in Perl's is understood:
 * letters, digits and signs that stand for themselves, and where they end. Of
 * what may mean anything else nothing is needed, which is never wrong.
 */

#include "lib/base/mem.h"
#include "lib/base/span.h"

enum pattern_form {
	PATTERN_OPAQUE, /* not one that is understood */
	PATTERN_POSIX, /* extended */
	PATTERN_PERL,
};

/* How a pattern is meant, besides its text. */
struct pattern_manner {
	enum pattern_form form;
	bool folds; /* case of ASCII letters does not matter */
	bool lines; /* ^ is the begin of any line */
};

struct pattern_needs {
	bool folds; /* the texts are lower case; give the key so, too */
	struct span head;
	struct span inside; /* behind the head */
};

/* The texts live in the arena. "pattern" holds no NUL. */
void pattern_needs_of(struct span pattern, const struct pattern_manner *m,
    struct arena *a, struct pattern_needs *out);
/* False: the pattern does not match. True says nothing. */
bool pattern_needs_met(const struct pattern_needs *n, struct span key);

#endif
