/* SPDX-License-Identifier: ISC */
/*
 * Queue ids: six digits of seconds, four of microseconds, 'z', then process
 * and random part. Digits are those of Postfix's long ids: no vowels, so
 * that no words come out, and in ASCII order, so that ids sort by time. What
 * follows the 'z' never holds one.
 */
#include "lib/queue/queue_file.h"

#include <string.h>
#include <sys/random.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/process.h"

static const char digits[] =
    "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

enum {
	BASE = sizeof(digits) - 1,
	TAIL_BASE = BASE - 1, /* without 'z' */
	SECOND_DIGITS = 6,
	MICRO_DIGITS = 4,
	TIME_DIGITS = SECOND_DIGITS + MICRO_DIGITS,
	PROCESS_DIGITS = 4, /* 51^4 > 2^22, the largest pid */
	RANDOM_DIGITS = 5, /* 28 bits */
	TAIL_DIGITS = PROCESS_DIGITS + RANDOM_DIGITS,
	MILLION = 1000000,
};

static void
encode(char *to, uint64_t value, unsigned int base, size_t n)
{
	while (n-- > 0) {
		to[n] = digits[value % base];
		value /= base;
	}
}

/* 0 to BASE - 1, or -1 for what is no digit. */
static int
digit_value(char c)
{
	static signed char values[256];

	if (values[0] == 0) {
		memset(values, -1, sizeof(values));
		for (int i = 0; i < BASE; i++)
			values[(unsigned char)digits[i]] = (signed char)i;
	}
	return values[(unsigned char)c];
}

/* NUL is no digit, so that this never reads beyond the text. */
static bool
decode(const char *from, size_t n, uint64_t *out)
{
	uint64_t value = 0;
	int digit;

	for (size_t i = 0; i < n; i++) {
		digit = digit_value(from[i]);
		if (digit < 0)
			return false;
		value = value * BASE + (uint64_t)digit;
	}
	*out = value;
	return true;
}

/* Fetched for many ids at once: a system call for each is not worth it. */
static uint32_t
noise(void)
{
	static uint32_t pool[64];
	static size_t left;
	uint32_t value;

	if (left == 0) {
		ensure(getrandom(pool, sizeof(pool), 0) == sizeof(pool));
		left = sizeof(pool) / sizeof(pool[0]);
	}
	value = pool[--left];
	pool[left] = 0;
	return value;
}

/* Never the same twice in a process, nor going back. */
static int64_t
next_stamp(void)
{
	static int64_t last;
	int64_t now = clock_wall_us();

	if (now <= last && last - now < MILLION)
		now = last + 1;
	last = now;
	return now;
}

void
queue_id_mint(char out[QUEUE_ID_MAX])
{
	int64_t now = next_stamp();
	char *p = out;

	encode(p, (uint64_t)(now / MILLION), BASE, SECOND_DIGITS);
	p += SECOND_DIGITS;
	encode(p, (uint64_t)(now % MILLION), BASE, MICRO_DIGITS);
	p += MICRO_DIGITS;
	*p++ = 'z';
	encode(p, (uint64_t)process_id(), TAIL_BASE, PROCESS_DIGITS);
	p += PROCESS_DIGITS;
	encode(p, noise(), TAIL_BASE, RANDOM_DIGITS);
	p[RANDOM_DIGITS] = '\0';
}

int64_t
queue_id_time(const char *id)
{
	uint64_t seconds, micros, tail;

	if (!decode(id, SECOND_DIGITS, &seconds) ||
	    !decode(id + SECOND_DIGITS, MICRO_DIGITS, &micros) ||
	    micros >= MILLION || id[TIME_DIGITS] != 'z' ||
	    !decode(id + TIME_DIGITS + 1, TAIL_DIGITS, &tail) ||
	    strlen(id) != TIME_DIGITS + 1 + TAIL_DIGITS ||
	    strchr(id + TIME_DIGITS + 1, 'z') != NULL)
		return 0;
	return (int64_t)(seconds * MILLION + micros);
}

bool
queue_id_valid(const char *id)
{
	return queue_id_time(id) > 0;
}
