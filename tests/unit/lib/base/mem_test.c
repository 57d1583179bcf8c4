/* SPDX-License-Identifier: ISC */
#include "lib/base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct thing {
	char bytes[2000];
};

static struct mem_pool things = MEM_POOL(struct thing);

static void
pooled_objects_are_clean(void **state)
{
	static const struct thing clean;
	struct thing *t[MEM_POOL_KEPT + 5];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < MEM_POOL_KEPT + 5; i++) {
			t[i] = mem_pool_get(&things);
			assert_memory_equal(t[i], &clean, sizeof(clean));
			memset(t[i], 'x', sizeof(*t[i]));
		}
		for (size_t i = 0; i < MEM_POOL_KEPT + 5; i++)
			mem_pool_put(&things, t[i]);
		assert_int_equal(things.n, MEM_POOL_KEPT);
	}
	mem_pool_put(&things, NULL);
	mem_give_back();
	assert_int_equal(things.n, 0);
}

static void
arenas_of_any_size(void **state)
{
	static const size_t sizes[] = { 1, 15, 999, 1000, 1001, 3999, 4001,
		100000 };
	struct arena *a = arena_new();

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			char *p = arena_alloc(a, sizes[i]);

			assert_int_equal((uintptr_t)p % 16, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(p[k], 0);
			memset(p, 'x', sizes[i]);
		}
		arena_reset(a);
	}
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

static void
take(size_t count, size_t size)
{
	if (count > 1)
		(void)mem_array(count, size);
	else
		(void)arena_alloc(arena_new(), size);
}

/* Numbers from elsewhere: the program ends, and has no memory that is too
 * small for what it will write. */
static void
sizes_that_wrap_end_the_program(void **state)
{
	static const struct {
		size_t count, size;
	} rows[] = {
		{ 1, SIZE_MAX },
		{ 1, SIZE_MAX - 7 }, /* rounded up it is 0 */
		{ 1, SIZE_MAX - 100 },
		{ (SIZE_MAX >> 1) + 1, 2 },
		{ SIZE_MAX / 16 + 2, 16 },
		{ 3, SIZE_MAX / 3 + 5 },
	};
	int status;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			(void)close(2);
			(void)signal(SIGABRT, SIG_DFL);
			take(rows[i].count, rows[i].size);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pooled_objects_are_clean),
		cmocka_unit_test(arenas_of_any_size),
		cmocka_unit_test(sizes_that_wrap_end_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
