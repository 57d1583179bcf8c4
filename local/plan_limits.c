/* SPDX-License-Identifier: ISC */
/*
 * The ends of expansion. A user's files may name each other many times, twice
 * the times at each depth, and lead to few destinations or none: they get what
 * a list of thousands needs, root's aliases that they name among it. What root
 * wrote, and no user led to, may be ten times as much; but all
 * destinations are recipients of one message, which has so many at most.
 */
#include "local/local_state.h"

static const struct {
	const char *what;
	size_t users;
	size_t all;
} limits[COUNT_KINDS] = {
	[COUNT_DESTINATIONS] = { "destinations", 20000, 50000 },
	[COUNT_ENTRIES] = { "entries of aliases and their files", 50000,
	    500000 },
	[COUNT_FILES] = { "included files", 1000, 10000 },
	[COUNT_BYTES] = { "bytes of included files", 16 << 20, 128 << 20 },
};

static const char *
too_many(struct plan *p, enum counted kind, size_t limit)
{
	return arena_printf(p->r->arena, "more than %zu %s", limit,
	    limits[kind].what);
}

const char *
plan_count(struct plan *p, enum counted kind, size_t n, bool users)
{
	p->counts[kind] += n;
	if (users)
		p->users_counts[kind] += n;
	if (p->users_counts[kind] > limits[kind].users)
		return too_many(p, kind, limits[kind].users);
	if (p->counts[kind] > limits[kind].all)
		return too_many(p, kind, limits[kind].all);
	return NULL;
}
