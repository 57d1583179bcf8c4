/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_HASH_TABLE_H
#define LIB_BASE_HASH_TABLE_H

/*
 * uthash's tables, the only place that includes it: with a hash that nobody
 * outside can aim at (keyed_hash.h), and memory whose lack is fatal with a
 * line in the log, not a silent end of the process.
 */

#include "lib/base/keyed_hash.h"
#include "lib/base/mem.h"

#define HASH_FUNCTION(key, n, out) \
	((out) = (unsigned int)keyed_hash((key), (n)))
#define uthash_malloc(n) mem_new(n)

#include <uthash.h>

#endif
