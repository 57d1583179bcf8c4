/* SPDX-License-Identifier: ISC */
/*
 * Rest: what a burst of work needed goes back to the system when it is over,
 * processes and memory. While there is work nothing is given back, for it
 * would be needed again at once.
 */
#include "lib/service/internal.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/stream_pool.h"

enum {
	REST_MS = 3000,
	ONE_TOO_MANY_MS = 5000,
};

static int64_t last_work;
static int64_t next_look = INT64_MAX;

void
rest_now(void)
{
	stream_pool_trim();
	mem_give_back();
}

void
rest_after_work(void)
{
	last_work = clock_ms();
	if (next_look == INT64_MAX)
		next_look = last_work + REST_MS;
}

int64_t
rest_if_due(void)
{
	if (next_look == INT64_MAX || clock_ms() < next_look)
		return next_look;
	next_look = last_work + REST_MS;
	if (clock_ms() < next_look)
		return next_look;
	next_look = INT64_MAX;
	rest_now();
	return next_look;
}

bool
rest_too_many(const struct running *r, int64_t since, int64_t *look)
{
	int64_t now = clock_ms(), end = since + r->max_idle_ms;
	int64_t next = since + ONE_TOO_MANY_MS;

	*look = end;
	if (now >= end)
		return true;
	if (slots_first())
		return false;
	if (now >= next && slots_earlier_idle())
		return true;
	if (now >= next)
		next = now + ONE_TOO_MANY_MS;
	if (next < end)
		*look = next;
	return false;
}
