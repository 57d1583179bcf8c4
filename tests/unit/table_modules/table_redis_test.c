/* SPDX-License-Identifier: ISC */
/* What of an answer is allowed, whatever the library itself would take. */
#include "table_modules/table_redis.c"

/* its fail() would be the module's */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static int made;

static void *
count_array(const redisReadTask *task, element_count count)
{
	(void)task;
	(void)count;
	return &made;
}

static void
test_elements(void **state)
{
	redisReadTask task = { .parent = NULL };

	(void)state;
	library_array = count_array;
	refused = NULL;
	assert_non_null(create_array(&task, 0));
	assert_non_null(create_array(&task, ELEMENTS_MAX));
	assert_null(refused);
	assert_null(create_array(&task, ELEMENTS_MAX + 1));
	assert_string_equal(refused, "more than 262144 elements");
}

static void
test_depth(void **state)
{
	redisReadTask tasks[20] = { { .parent = NULL } };

	(void)state;
	library_array = count_array;
	for (int i = 0; i < 20; i++) {
		tasks[i].parent = i > 0 ? &tasks[i - 1] : NULL;
		refused = NULL;
		if (i < DEPTH_MAX)
			assert_non_null(create_array(&tasks[i], 1));
		else
			assert_null(create_array(&tasks[i], 1));
		assert_true((refused != NULL) == (i >= DEPTH_MAX));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
