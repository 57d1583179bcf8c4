/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "qmgr/backoff.h"

static const struct backoff_limits limits = { 300, 4000 };

static void
doubles_up_to_the_ceiling(void **state)
{
	static const struct {
		unsigned int failures;
		uint32_t delay;
	} rows[] = {
		{ 0, 300 },
		{ 1, 300 },
		{ 2, 600 },
		{ 3, 1200 },
		{ 4, 2400 },
		{ 5, 4000 },
		{ 6, 4000 },
		{ 1000, 4000 },
		{ UINT32_MAX, 4000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(backoff_delay(&limits, rows[i].failures, 0),
		    rows[i].delay);
}

static void
noise_adds_at_most_an_eighth(void **state)
{
	uint32_t least = UINT32_MAX, most = 0;

	(void)state;
	for (uint32_t noise = 0; noise < 1000; noise++) {
		uint32_t delay = backoff_delay(&limits, 1, noise);

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	assert_int_equal(least, 300);
	assert_int_equal(most, 300 + 300 / 8);
	assert_int_equal(backoff_delay(&limits, 9, 499), 4000);
}

static void
age_tells_how_often_it_failed(void **state)
{
	static const struct {
		int64_t age;
		unsigned int failures;
	} rows[] = {
		{ -5, 1 },
		{ 0, 1 },
		{ 299, 1 },
		{ 300, 2 },
		{ 899, 2 },
		{ 900, 3 },
		{ 2100, 4 },
		{ 4500, 5 },
		{ 8500, 6 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(backoff_failures(&limits, rows[i].age),
		    rows[i].failures);
	assert_true(backoff_failures(&limits, INT64_C(1) << 40) <= 32);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_up_to_the_ceiling),
		cmocka_unit_test(noise_adds_at_most_an_eighth),
		cmocka_unit_test(age_tells_how_often_it_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
