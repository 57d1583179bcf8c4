/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_TEXT_MAP_H
#define LIB_TABLE_TEXT_MAP_H

/*
 * Texts by text, in memory, built once and then only read: some tens of
 * bytes beyond the text for an entry. Keys come from whoever owns the table,
 * never from strangers.
 */

#include "lib/base/span.h"

struct text_map;

struct text_map *text_map_new(void);
void text_map_free(struct text_map **m); /* NULL is fine */
/* False, and nothing added, when the key is there or there is no room. */
bool text_map_add(struct text_map *m, struct span key, struct span value);
/* Adds, or puts the value in place of the one that is there. */
void text_map_put(struct text_map *m, struct span key, struct span value);
bool
text_map_find(const struct text_map *m, struct span key, struct span *value);
size_t text_map_count(const struct text_map *m);
/* The entry added as the i-th. */
void text_map_at(const struct text_map *m, size_t i, struct span *key,
    struct span *value);

#endif
