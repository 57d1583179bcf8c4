/* SPDX-License-Identifier: ISC */
#include "pop3d/command.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static void
test_lines(void **state)
{
	static const struct {
		struct span line;
		const char *keyword; /* NULL: refused */
		const char *rest;
	} rows[] = {
		{ SPAN("STAT"), "STAT", "" },
		{ SPAN("RETR 1"), "RETR", "1" },
		{ SPAN("PASS  two words "), "PASS", " two words " },
		{ SPAN("USER "), "USER", "" },
		{ SPAN("user b\xc3\xb6"
		       "b"),
		    "user",
		    "b\xc3\xb6"
		    "b" },
		{ SPAN(""), NULL, NULL },
		{ SPAN(" STAT"), NULL, NULL },
		{ SPAN("STAT\r"), NULL, NULL },
		{ SPAN("RETR\t1"), NULL, NULL },
		{ SPAN("PASS a\0b"), NULL, NULL },
		{ SPAN("STAT\x7f"), NULL, NULL },
		{ SPAN("ABCDEFGHIJKLMNOPQ"), NULL, NULL },
	};
	struct command c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(command_parse(rows[i].line, &c),
		    rows[i].keyword != NULL);
		if (rows[i].keyword == NULL)
			continue;
		assert_true(span_is(c.keyword, rows[i].keyword));
		assert_true(span_is(c.rest, rows[i].rest));
	}
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t value; /* 0: refused */
	} rows[] = {
		{ "1", 1 },
		{ "100", 100 },
		{ "007", 7 },
		{ "101", 0 },
		{ "0", 0 },
		{ "", 0 },
		{ "-1", 0 },
		{ "+1", 0 },
		{ "1x", 0 },
		{ "18446744073709551617", 0 },
		{ "000000000000000000001", 0 },
	};
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = 0;
		assert_int_equal(command_number(span_of(rows[i].text), 100, &n),
		    rows[i].value != 0);
		if (rows[i].value != 0)
			assert_int_equal(n, rows[i].value);
	}
}

static void
test_arguments(void **state)
{
	struct span rest = SPAN("  1   2"), a;

	(void)state;
	assert_true(command_argument(&rest, &a) && span_is(a, "1"));
	assert_true(command_argument(&rest, &a) && span_is(a, "2"));
	assert_false(command_argument(&rest, &a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
