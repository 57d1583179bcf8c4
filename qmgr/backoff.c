/* SPDX-License-Identifier: ISC */
#include "qmgr/backoff.h"

#include "lib/base/ensure.h"

/* Without noise. */
static uint32_t
doubled(const struct backoff_limits *lim, unsigned int failures)
{
	uint64_t delay = lim->floor_s;

	for (unsigned int i = 1; i < failures && delay < lim->ceiling_s; i++)
		delay *= 2;
	return delay < lim->ceiling_s ? (uint32_t)delay : lim->ceiling_s;
}

uint32_t
backoff_delay(const struct backoff_limits *lim, unsigned int failures,
    uint32_t noise)
{
	uint32_t delay;

	ensure(lim->floor_s > 0 && lim->ceiling_s >= lim->floor_s);
	delay = doubled(lim, failures);
	delay += noise % (delay / 8 + 1);
	return delay < lim->ceiling_s ? delay : lim->ceiling_s;
}

unsigned int
backoff_failures(const struct backoff_limits *lim, int64_t age_s)
{
	unsigned int failures = 1;
	int64_t next = 0;

	while (failures < 32) {
		next += doubled(lim, failures);
		if (next > age_s)
			break;
		failures++;
	}
	return failures;
}
