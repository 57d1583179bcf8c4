/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_KEYED_HASH_H
#define LIB_BASE_KEYED_HASH_H

/*
 * A hash for tables in memory whose keys strangers choose (names of folders,
 * addresses, message ids): keyed with random bits of this process, so that
 * nobody outside can make keys that fall into one bucket. SipHash-2-4
 * (Aumasson and Bernstein, 2012). Never for what is kept on disk, nor for what
 * another process reads: there it is different.
 */

#include <stddef.h>
#include <stdint.h>

uint64_t keyed_hash(const void *bytes, size_t n);

/* The same with a key that is given: pure. */
struct keyed_hash_key {
	uint64_t half[2];
};

uint64_t
keyed_hash_with(const struct keyed_hash_key *key, const void *bytes, size_t n);

#endif
