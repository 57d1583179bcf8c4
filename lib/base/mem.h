/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_MEM_H
#define LIB_BASE_MEM_H

/*
 * Memory. Out of memory ends the program: master starts it again, and what
 * was accepted is on disk. None of these ever returns NULL.
 */

#include <stddef.h>
#include "lib/base/span.h"

void *mem_new(size_t size); /* zeroed; free(3) releases it */
void *mem_array(size_t count, size_t size);
void *mem_resize(void *old, size_t size); /* growth is not zeroed */
char *mem_text(const char *text); /* a copy; NULL stays NULL */
char *mem_span_text(struct span s); /* a terminated copy */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Objects of one size that come and go with every session or command, and
 * are too large for malloc(3) to be quick with: a few are kept, until
 * mem_give_back. Lives as long as the process.
 */
enum { MEM_POOL_KEPT = 16 };

struct mem_pool {
	size_t size;
	size_t n;
	void *kept[MEM_POOL_KEPT];
	struct mem_pool *next; /* of those that have kept something */
	bool known;
};

#define MEM_POOL(type) \
	{ \
		.size = sizeof(type) \
	}

void *mem_pool_get(struct mem_pool *p); /* zeroed */
void mem_pool_put(struct mem_pool *p, void *object); /* NULL is fine */

/*
 * What all pools keep, and what is free in the heap, goes back to the system.
 * Takes as long as the heap is large: for a program at rest.
 */
void mem_give_back(void);

/*
 * An arena: many small objects with one end. Owned by a session or a
 * message; arena_free releases all at once, arena_reset keeps the first
 * block for reuse.
 */
struct arena;

struct arena *arena_new(void);
void arena_reset(struct arena *a);
/* The same, and nothing of what it held is left in memory. */
void arena_wipe(struct arena *a);
void arena_free(struct arena **a);
void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for all */
char *arena_text(struct arena *a, const char *text); /* NULL stays NULL */
char *arena_span(struct arena *a, struct span s); /* terminated copy */
char *arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
