/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "qmgr/window.h"

static const struct window_limits plain = {
	.initial = 5,
	.most = 20,
	.positive = { 1, FEEDBACK_CONSTANT },
	.negative = { 1, FEEDBACK_CONSTANT },
	.failed_cohorts = 1,
};

static void
opens_only_while_used(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, &plain);
	assert_int_equal(w.size, 5);
	for (int i = 0; i < 100; i++)
		window_success(&w, &plain, 0);
	assert_int_equal(w.size, 6);
	for (int i = 0; i < 100; i++)
		window_success(&w, &plain, w.size - 1);
	assert_int_equal(w.size, 20);
}

static void
dies_of_a_cohort_of_failures(void **state)
{
	struct window w;
	int failures = 0;

	(void)state;
	window_init(&w, &plain);
	do
		failures++;
	while (!window_failure(&w, &plain));
	/* 1/5 + 1/4 + 1/3 + 1/2 is more than one */
	assert_int_equal(failures, 4);
	assert_int_equal(w.size, 1);
}

static void
success_forgives(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, &plain);
	for (int i = 0; i < 50; i++) {
		assert_false(window_failure(&w, &plain) && w.size > 1);
		window_success(&w, &plain, w.size);
		assert_true(w.failed == 0);
	}
	assert_true(w.size >= 4);
}

static void
never_dies_with_limit_zero(void **state)
{
	struct window_limits lim = plain;
	struct window w;

	(void)state;
	lim.failed_cohorts = 0;
	window_init(&w, &lim);
	for (int i = 0; i < 1000; i++)
		assert_false(window_failure(&w, &lim));
	assert_int_equal(w.size, 1);
}

static void
feedback_divided_by_the_window(void **state)
{
	struct window_limits lim = plain;
	struct window w;

	(void)state;
	assert_true(feedback_parse("1/concurrency", &lim.positive));
	window_init(&w, &lim);
	for (int i = 0; i < 4; i++)
		window_success(&w, &lim, w.size);
	assert_int_equal(w.size, 5);
	for (int i = 0; i < 2; i++)
		window_success(&w, &lim, w.size);
	assert_int_equal(w.size, 6);
}

static void
parses_what_the_manual_says(void **state)
{
	struct feedback f;

	(void)state;
	assert_true(feedback_parse("0.25", &f));
	assert_true(f.amount == 0.25 && f.kind == FEEDBACK_CONSTANT);
	assert_true(feedback_parse("1 /sqrt_concurrency", &f));
	assert_int_equal(f.kind, FEEDBACK_PER_ROOT);
	assert_false(feedback_parse("", &f));
	assert_false(feedback_parse("2", &f));
	assert_false(feedback_parse("-1", &f));
	assert_false(feedback_parse("nan", &f));
	assert_false(feedback_parse("1/3", &f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_only_while_used),
		cmocka_unit_test(dies_of_a_cohort_of_failures),
		cmocka_unit_test(success_forgives),
		cmocka_unit_test(never_dies_with_limit_zero),
		cmocka_unit_test(feedback_divided_by_the_window),
		cmocka_unit_test(parses_what_the_manual_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
