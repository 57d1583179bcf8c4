/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_set.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
sets(void **state)
{
	static const struct {
		const char *text;
		uint32_t star;
		const char *set;
	} rows[] = {
		{ "1", 9, "1" },
		{ "1:3,5", 9, "1:3,5" },
		{ "5,1:3", 9, "1:3,5" },
		{ "3:1", 9, "1:3" },
		{ "*", 9, "9" },
		{ "7:*", 9, "7:9" },
		{ "*:7", 9, "7:9" },
		{ "12:*", 9, "9:12" },
		{ "2:*,1", 9, "1:9" },
		{ "4294967295", 9, "4294967295" },
		{ "*", 0, "" },
		{ "1:*", 0, "" },
		{ "2,5:*", 0, "2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct uid_set set = { 0 };
		struct buf text = BUF_INIT(100);

		assert_true(
		    imap_set_parse(span_of(rows[i].text), rows[i].star, &set));
		uid_set_text(&set, &text);
		assert_string_equal(buf_text(&text), rows[i].set);
		uid_set_fini(&set);
		buf_fini(&text);
	}
}

static void
what_is_no_set(void **state)
{
	static const char *const bad[] = { "", "0", "1,", ",1", "1:", ":1",
		"1:2:3", "a", "1 ", "1,,2", "4294967296", "$", "**", "-1",
		"1:0", "+1" };
	struct uid_set set = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(imap_set_parse(span_of(bad[i]), 9, &set));
	uid_set_fini(&set);
}

static void
beyond(void **state)
{
	(void)state;
	assert_false(imap_set_beyond(SPAN("1:9,*"), 9));
	assert_true(imap_set_beyond(SPAN("1:10"), 9));
	assert_true(imap_set_beyond(SPAN("10:*"), 9));
	assert_true(imap_set_beyond(SPAN("1:*"), 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets),
		cmocka_unit_test(what_is_no_set),
		cmocka_unit_test(beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
