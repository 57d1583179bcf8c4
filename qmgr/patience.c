/* SPDX-License-Identifier: ISC */
#include "qmgr/patience.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "qmgr/entry_file.h"
#include "qmgr/life.h"
#include "qmgr/settings.h"

/* More are left alone for ever: there are not so many agents. */
enum { LOCKED_MAX = 20000 };

struct locked {
	UT_hash_handle hh;
	int64_t since;
	char id[];
};

static struct locked *all;

static struct locked *
find(const char *id)
{
	struct locked *l;

	HASH_FIND_STR(all, id, l);
	return l;
}

static int64_t
first_seen(const char *id)
{
	struct locked *l = find(id);
	size_t n = strlen(id) + 1;

	if (l != NULL)
		return l->since;
	if (HASH_COUNT(all) < LOCKED_MAX) {
		l = mem_new(sizeof(*l) + n);
		memcpy(l->id, id, n);
		l->since = clock_ms();
		HASH_ADD_STR(all, id, l);
	}
	return clock_ms();
}

static void
forget(const char *id)
{
	struct locked *l = find(id);

	if (l == NULL)
		return;
	HASH_DEL(all, l);
	free(l);
}

bool
patience_in_use(int fd, const char *id)
{
	int64_t limit = settings_common()->ipc_timeout * 1000;

	if (!entry_file_in_use(fd)) {
		forget(id);
		return false;
	}
	if (clock_ms() - first_seen(id) < limit || life_others_finish())
		return true;
	log_warning("%s: a program keeps its lock on the queue file for longer "
		    "than ipc_timeout: going on without it",
	    id);
	forget(id);
	return false;
}
