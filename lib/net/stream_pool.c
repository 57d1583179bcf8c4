/* SPDX-License-Identifier: ISC */
#include "lib/net/stream_pool.h"

#include <stdlib.h>

#include "lib/base/mem.h"

enum { POOL_KEPT = 32 };

static char *kept[POOL_KEPT];
static size_t kept_count;
static size_t used;

char *
stream_pool_get(void)
{
	used++;
	if (kept_count > 0)
		return kept[--kept_count];
	return mem_resize(NULL, STREAM_BUFFER_SIZE);
}

void
stream_pool_put(char **buffer)
{
	if (*buffer == NULL)
		return;
	used--;
	if (kept_count < POOL_KEPT)
		kept[kept_count++] = *buffer;
	else
		free(*buffer);
	*buffer = NULL;
}

size_t
stream_pool_used(void)
{
	return used;
}
