/* SPDX-License-Identifier: ISC */
#include "smtp/cache.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/task/task.h"
#include "smtp/settings.h"

enum { KEPT_MAX = 200 };

static struct peer *kept; /* the newest first */
static size_t kept_count;
static bool pruning;
static bool closed;

static struct peer *
take_out(struct peer **link)
{
	struct peer *p = *link;

	*link = p->next;
	p->next = NULL;
	kept_count--;
	return p;
}

struct peer *
cache_take(const char *key)
{
	struct peer **link = &kept;

	while (*link != NULL) {
		struct peer *p;

		if (strcmp((*link)->key, key) != 0) {
			link = &(*link)->next;
			continue;
		}
		p = take_out(link);
		/* a word now, as 421, or its end: of no use any more */
		if (!stream_readable(p->io))
			return p;
		peer_free(&p);
	}
	return NULL;
}

static int64_t
keep_ms(void)
{
	return settings()->smtp.smtp_connection_cache_time_limit * 1000;
}

/* Ends those that have been idle too long; when to look again. */
static int64_t
prune(void)
{
	int64_t now = clock_ms(), next = INT64_MAX;
	struct peer **link = &kept;

	while (*link != NULL) {
		int64_t until = (*link)->idle_since + keep_ms();

		if (until <= now) {
			struct peer *p = take_out(link);

			peer_quit(&p, false);
			link = &kept; /* others may have run meanwhile */
			continue;
		}
		if (until < next)
			next = until;
		link = &(*link)->next;
	}
	return next;
}

static void
prune_task(void *unused)
{
	int64_t next;

	(void)unused;
	while ((next = prune()) != INT64_MAX)
		if (wait_until(next) == WAIT_CANCELLED)
			break;
	pruning = false;
	if (task_cancelled())
		cache_close();
}

bool
cache_keeps(const struct peer *p)
{
	const struct smtp_params *set = &settings()->smtp;

	return !closed && !p->broken && !p->dirty && kept_count < KEPT_MAX &&
	    set->smtp_connection_cache_on_demand && keep_ms() > 0 &&
	    clock_ms() - p->opened <
	    set->smtp_connection_reuse_time_limit * 1000 &&
	    (set->smtp_connection_reuse_count_limit == 0 ||
		p->uses < (uint64_t)set->smtp_connection_reuse_count_limit);
}

void
cache_give(struct peer **pp, const char *key)
{
	struct peer *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	if (!cache_keeps(p)) {
		peer_quit(&p, true);
		return;
	}
	free(p->key);
	p->key = mem_text(key);
	p->idle_since = clock_ms();
	stream_rest(p->io);
	p->next = kept;
	kept = p;
	kept_count++;
	if (!pruning && task_start(prune_task, NULL) != NULL)
		pruning = true;
}

void
cache_close(void)
{
	closed = true;
	while (kept != NULL) {
		struct peer *p = take_out(&kept);

		peer_quit(&p, false);
	}
}
