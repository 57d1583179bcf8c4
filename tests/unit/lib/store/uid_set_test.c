/* SPDX-License-Identifier: ISC */
/* Ranges of UIDs, against a plain array of bits. */
#include "lib/store/uid_set.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TOP = 200 };

static void
check(const struct uid_set *s, const bool *model)
{
	uint64_t rank = 0;
	uint32_t next = 0;

	for (size_t i = 0; i < s->count; i++) {
		assert_true(s->ranges[i].first <= s->ranges[i].last);
		if (i > 0)
			assert_true(
			    s->ranges[i].first > s->ranges[i - 1].last + 1);
	}
	for (uint32_t u = 0; u < TOP; u++) {
		assert_int_equal(uid_set_has(s, u), model[u]);
		assert_int_equal(uid_set_rank(s, u), rank);
		if (!model[u])
			continue;
		assert_int_equal(uid_set_nth(s, rank), u);
		assert_true(uid_set_next(s, &next));
		assert_int_equal(next, u);
		rank++;
	}
	assert_int_equal(uid_set_members(s), rank);
	assert_int_equal(uid_set_nth(s, rank), 0);
	assert_false(uid_set_next(s, &next));
	assert_int_equal(uid_set_empty(s), rank == 0);
}

static void
random_range(uint32_t *first, uint32_t *last)
{
	*first = 1 + (uint32_t)random() % (TOP - 2);
	*last = *first + (uint32_t)random() % 12;
	if (*last >= TOP)
		*last = TOP - 1;
}

static void
fill(struct uid_set *s, bool *model, unsigned int ranges)
{
	uint32_t first, last;

	memset(model, 0, TOP);
	uid_set_fini(s);
	for (unsigned int i = 0; i < ranges; i++) {
		random_range(&first, &last);
		uid_set_add_range(s, first, last);
		memset(model + first, 1, last - first + 1);
	}
}

static void
add_many(struct uid_set *s, bool *model, unsigned int n)
{
	struct uid_range ranges[16];

	for (unsigned int i = 0; i < n; i++) {
		random_range(&ranges[i].first, &ranges[i].last);
		memset(model + ranges[i].first, 1,
		    ranges[i].last - ranges[i].first + 1);
	}
	uid_set_add_ranges(s, ranges, n);
	check(s, model);
}

static void
any_changes_agree_with_a_model(void **state)
{
	struct uid_set s = { 0 }, other = { 0 }, copy = { 0 };
	bool model[TOP], second[TOP], rest[TOP];
	uint32_t first, last;

	(void)state;
	srandom(1);
	for (unsigned int round = 0; round < 3000; round++) {
		fill(&s, model, round % 17);
		check(&s, model);
		random_range(&first, &last);
		uid_set_remove_range(&s, first, last);
		memset(model + first, 0, last - first + 1);
		check(&s, model);
		fill(&other, second, round % 13);
		uid_set_copy(&copy, &s);
		uid_set_remove_set(&copy, &other);
		for (size_t u = 0; u < TOP; u++)
			rest[u] = model[u] && !second[u];
		check(&copy, rest);
		add_many(&copy, rest, round % 9);
		uid_set_copy(&copy, &s);
		uid_set_intersect(&copy, &other);
		for (size_t u = 0; u < TOP; u++)
			second[u] = second[u] && model[u];
		check(&copy, second);
		uid_set_add_set(&s, &other);
		for (uint32_t u = 0; u < TOP; u++)
			model[u] = model[u] || uid_set_has(&other, u);
		check(&s, model);
	}
	uid_set_fini(&s);
	uid_set_fini(&other);
	uid_set_fini(&copy);
}

static void
the_ends_of_the_numbers_are_members_like_others(void **state)
{
	struct uid_set s = { 0 }, other = { 0 };
	uint32_t uid = UINT32_MAX - 2;

	(void)state;
	uid_set_add(&s, UINT32_MAX);
	uid_set_add_range(&s, UINT32_MAX - 1, UINT32_MAX);
	uid_set_add_range(&s, 0, 1);
	assert_int_equal(s.count, 2);
	assert_false(uid_set_has(&s, 0));
	assert_true(uid_set_next(&s, &uid));
	assert_true(uid_set_next(&s, &uid));
	assert_int_equal(uid, UINT32_MAX);
	assert_false(uid_set_next(&s, &uid));
	for (uint32_t u = 2; u < 12; u += 2)
		uid_set_add(&other, u);
	uid_set_add_range(&other, UINT32_MAX - 1, UINT32_MAX);
	uid_set_remove_set(&s, &other);
	assert_int_equal(uid_set_members(&s), 1);
	uid_set_fini(&other);
	uid_set_add_range(&s, UINT32_MAX - 1, UINT32_MAX);
	uid_set_remove_range(&s, 1, UINT32_MAX - 1);
	assert_int_equal(uid_set_members(&s), 1);
	uid_set_fini(&s);
	uid_set_add_range(&s, 1, UINT32_MAX);
	assert_int_equal(uid_set_members(&s), UINT32_MAX);
	uid_set_fini(&s);
}

static void
text_is_a_sequence_set(void **state)
{
	struct uid_set s = { 0 };
	struct buf text = BUF_INIT(64);

	(void)state;
	assert_true(uid_set_text(&s, &text));
	assert_string_equal(buf_text(&text), "");
	uid_set_add_range(&s, 1, 3);
	uid_set_add(&s, 5);
	uid_set_add(&s, UINT32_MAX);
	assert_true(uid_set_text(&s, &text));
	assert_string_equal(buf_text(&text), "1:3,5,4294967295");
	text.max = text.n + 4;
	assert_false(uid_set_text(&s, &text));
	buf_fini(&text);
	uid_set_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_changes_agree_with_a_model),
		cmocka_unit_test(
		    the_ends_of_the_numbers_are_members_like_others),
		cmocka_unit_test(text_is_a_sequence_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
