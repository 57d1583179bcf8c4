/* SPDX-License-Identifier: ISC */
#include "lib/net/stream_pool.h"

#include <sys/mman.h>

#include "lib/base/ensure.h"

/*
 * Mapped each for itself: what a crowd of sessions needed goes back to the
 * system whole, where the heap would keep it in pieces.
 */
enum { POOL_KEPT = 32 };

static char *kept[POOL_KEPT];
static size_t kept_count;
static size_t used;

char *
stream_pool_get(void)
{
	char *buffer;

	used++;
	if (kept_count > 0)
		return kept[--kept_count];
	buffer = mmap(NULL, STREAM_BUFFER_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ensure(buffer != MAP_FAILED && "out of memory");
	return buffer;
}

void
stream_pool_put(char **buffer)
{
	if (*buffer == NULL)
		return;
	used--;
	if (kept_count < POOL_KEPT)
		kept[kept_count++] = *buffer;
	else if (munmap(*buffer, STREAM_BUFFER_SIZE) != 0)
		unreachable();
	*buffer = NULL;
}

void
stream_pool_trim(void)
{
	while (kept_count > 0)
		if (munmap(kept[--kept_count], STREAM_BUFFER_SIZE) != 0)
			unreachable();
}

size_t
stream_pool_used(void)
{
	return used;
}
