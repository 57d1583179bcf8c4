/* SPDX-License-Identifier: ISC */
#include "lib/mail/message_date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { NONE = -1 };

/* "day": days since 1970, NONE for no date. */
static const struct {
	const char *value;
	int64_t day, seconds;
} rows[] = {
	{ "Thu, 1 Jan 1970 00:00:00 +0000", 0, 0 },
	{ "Sat, 21 Nov 2026 13:25:01 +0100", 20778, 1795263901 },
	{ "31 Dec 2000 16:01:33 -0800", 11322, 978307293 },
	{ " Mon,  7 Feb 94 21:52:25 PST", 8803, 760686745 },
	{ "Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", 9694, 837595405 },
	{ "17 Jul 1996 02:23 +0000", 9694, 837570180 },
	{ "17 July 1996", 9694, 837561600 },
	{ "17-Jul-1996 25:00:00 +0100", 9694, 837561600 },
	{ "17 Jul 1996 00:00:00 XYZ", 9694, 837561600 },
	{ "17 Jul 1996 00:00:00 +99", 9694, 837561600 },
	{ "(a (b) \\) c) 17 (x) Jul\r\n 1996 00:00:00", 9694, 837561600 },
	{ "29 Feb 2000 00:00:00 GMT", 11016, 951782400 },
	{ "29 Feb 1900 00:00:00 GMT", NONE, 0 },
	{ "1 Jan 102 00:00:00 GMT", 11688, 1009843200 },
	{ "31 Dec 1969 23:59:59 +0000", -1 - 0, -1 },
	{ "", NONE, 0 },
	{ "yesterday", NONE, 0 },
	{ "32 Jan 2000", NONE, 0 },
	{ "1 Foo 2000", NONE, 0 },
	{ "1 Jan 99999", NONE, 0 },
	{ "((((", NONE, 0 },
};

static void
dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_date d = { 77, 77 };
		bool ok = message_date_parse(span_of(rows[i].value), &d);
		bool none = rows[i].day == NONE && rows[i].seconds == 0;

		if (ok == none || (ok && d.seconds != rows[i].seconds))
			print_message("of \"%s\": %lld\n", rows[i].value,
			    (long long)d.seconds);
		assert_int_equal(ok, !none);
		if (ok) {
			assert_true(d.day == rows[i].day);
			assert_true(d.seconds == rows[i].seconds);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
