/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_LIB_TABLE_WALK_H
#define TESTS_UNIT_LIB_TABLE_WALK_H

/*
 * A database read whole: each byte of each entry is touched, so that an entry
 * that points anywhere else is a crash, or a sanitizer's report.
 */

#include "lib/base/span.h"

struct walk {
	size_t count; /* entries */
	size_t sum; /* of all bytes, so that none is left out */
	size_t longest_key;
};

/* For cdb_file_each and lmdb_file_each; "with" is a struct walk. */
static inline void
walk_entry(void *with, struct span key, struct span value)
{
	struct walk *w = with;

	for (size_t i = 0; i < key.n; i++)
		w->sum += (unsigned char)key.p[i];
	for (size_t i = 0; i < value.n; i++)
		w->sum += (unsigned char)value.p[i];
	if (key.n > w->longest_key)
		w->longest_key = key.n;
	w->count++;
}

#endif
