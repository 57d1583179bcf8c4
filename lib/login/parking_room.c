/* SPDX-License-Identifier: ISC */
#include "lib/login/parking_room.h"

#include <string.h>
#include <sys/mman.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"

enum { SLAB = 256 * 1024, SIZES = 7 };

static struct room {
	size_t size;
	struct free_piece {
		struct free_piece *next;
	} * free;
} rooms[SIZES] = { { 512, NULL }, { 1024, NULL }, { 2048, NULL },
	{ 4096, NULL }, { 8192, NULL }, { 16384, NULL }, { 40960, NULL } };

static struct room *
room_for(size_t size)
{
	for (size_t i = 0; i < SIZES; i++)
		if (size <= rooms[i].size)
			return &rooms[i];
	unreachable();
}

static void
add_slab(struct room *r)
{
	char *slab = mmap(NULL, SLAB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (slab == MAP_FAILED || madvise(slab, SLAB, MADV_DONTFORK) == -1)
		fatal("memory for parked connections: %m");
	/* from the end, so that the first ones are used first */
	for (size_t at = SLAB; at >= r->size; at -= r->size) {
		struct free_piece *p = (void *)(slab + at - r->size);

		p->next = r->free;
		r->free = p;
	}
}

void *
parking_room_take(size_t size)
{
	struct room *r = room_for(size);
	struct free_piece *p;

	if (r->free == NULL)
		add_slab(r);
	p = r->free;
	r->free = p->next;
	memset(p, 0, size);
	return p;
}

void
parking_room_give(void *piece, size_t size)
{
	struct room *r = room_for(size);
	struct free_piece *p = piece;

	memset(piece, 0, size);
	p->next = r->free;
	r->free = p;
}
