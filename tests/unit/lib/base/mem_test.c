/* SPDX-License-Identifier: ISC */
#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
	while (things.n > 0)
		free(things.kept[--things.n]);
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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pooled_objects_are_clean),
		cmocka_unit_test(arenas_of_any_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
