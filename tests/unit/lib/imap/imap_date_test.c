/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_date.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

static void
dates_and_times(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "17-Jul-1996 02:44:25 -0700", 837596665 },
		{ " 1-Jan-1970 00:00:00 +0000", 0 },
		{ "01-jan-1970 01:00:00 +0100", 0 },
		{ "1-Jan-1970 00:00:00 +0000", 0 },
		{ "29-Feb-2000 23:59:60 +0000", 951868800 },
		{ "31-Dec-1969 23:59:59 +0000", -1 },
	};
	int64_t out;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(imap_date_time_parse(span_of(rows[i].text), &out));
		assert_int_equal(out, rows[i].seconds);
	}
}

static void
what_is_no_date(void **state)
{
	static const char *const bad[] = { "", "17-Jul-1996", "x",
		"32-Jan-1996 02:44:25 -0700", "0-Jan-1996 02:44:25 -0700",
		"29-Feb-1900 02:44:25 -0700", "17-Jux-1996 02:44:25 -0700",
		"17-Jul-1996 24:44:25 -0700", "17-Jul-1996 02:44:25 0700",
		"17-Jul-1996 02:44:25 -0700x", "17-Jul-96 02:44:25 -0700",
		"17-Jul-1996 02:44:25 -070", "17-Jul-0000 02:44:25 -0700" };
	int64_t out;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(imap_date_time_parse(span_of(bad[i]), &out));
	assert_false(imap_date_parse(SPAN("1-Feb-1994 "), &out));
}

static void
days(void **state)
{
	int64_t out;

	(void)state;
	assert_true(imap_date_parse(SPAN("1-Feb-1994"), &out));
	assert_int_equal(out, 8797);
	assert_true(imap_date_parse(SPAN("01-Jan-1970"), &out));
	assert_int_equal(out, 0);
}

/* What is written is read as the same moment, for any zone. */
static void
round_trip(void **state)
{
	char text[IMAP_DATE_MAX];
	int64_t back;

	(void)state;
	for (int64_t t = -60000000000; t < 250000000000; t += 98765432101 / 7)
		for (long east = -14 * 3600; east <= 14 * 3600; east += 5400) {
			imap_date_time_text(t, east, text);
			assert_true(imap_date_time_parse(span_of(text), &back));
			assert_int_equal(back, t);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_and_times),
		cmocka_unit_test(what_is_no_date),
		cmocka_unit_test(days),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
