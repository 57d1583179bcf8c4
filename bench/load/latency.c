/* SPDX-License-Identifier: ISC */
#include "bench/load/latency.h"

#include "lib/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t
latency_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
make_room(struct latency *l, size_t room)
{
	if (room <= l->room)
		return;
	l->room = room > 2 * l->room ? room : 2 * l->room;
	l->us = mem_resize(l->us, l->room * sizeof l->us[0]);
}

void
latency_add(struct latency *l, int64_t us)
{
	make_room(l, l->count + 1);
	l->us[l->count++] = us < 0 ? 0 :
	    us > UINT32_MAX        ? UINT32_MAX :
				     (uint32_t)us;
}

void
latency_join(struct latency *l, const struct latency *more)
{
	for (size_t i = 0; i < more->count; i++)
		latency_add(l, more->us[i]);
}

static int
by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void
latency_print(struct latency *l, const char *prefix)
{
	static const struct {
		const char *name;
		double part;
		size_t least; /* of values: what fewer say is the maximum */
	} rows[] = { { "p50", 0.5, 1 }, { "p90", 0.9, 10 },
		{ "p99", 0.99, 100 }, { "max", 1, 1 } };

	if (l->count == 0)
		return;
	qsort(l->us, l->count, sizeof l->us[0], by_value);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (l->count >= rows[i].least)
			printf("%s%s %.3f\n", prefix, rows[i].name,
			    l->us[(size_t)(rows[i].part *
				(double)(l->count - 1))] /
				1000.0);
}

void
latency_free(struct latency *l)
{
	free(l->us);
	*l = (struct latency){ 0 };
}
