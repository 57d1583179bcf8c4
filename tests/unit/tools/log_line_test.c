/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/log_line.h"

#define HEAD "Nov 21 13:25:01 mx posthaste/"

static const struct {
	const char *line;
	const char *program, *pid, *id, *child, *client;
} rows[] = {
	{ HEAD "smtpd[12]: connect from a.test[192.0.2.1]", "smtpd", "12", "",
	    NULL, "a.test[192.0.2.1]" },
	{ HEAD "submission/smtpd[12]: 4bXyzQ1z2: client=a.test[192.0.2.1], "
	       "sasl_method=PLAIN",
	    "smtpd", "12", "4bXyzQ1z2", NULL, "a.test[192.0.2.1]" },
	{ HEAD "smtpd[1]: lost connection after DATA from unknown[2001:db8::1]",
	    "smtpd", "1", "", NULL, "unknown[2001:db8::1]" },
	{ HEAD "bounce[3]: 4bXyzQ1z2: sender non-delivery notification: "
	       "4bXyzQ9z9",
	    "bounce", "3", "4bXyzQ1z2", "4bXyzQ9z9", NULL },
	{ HEAD "smtp[4]: 4bXyzQ1z2: to=<a@b.test>, relay=h[1.2.3.4]:25, "
	       "status=sent (250 2.0.0 Ok: queued as 4bXyzQ7z7)",
	    "smtp", "4", "4bXyzQ1z2", "4bXyzQ7z7", NULL },
	{ "2026-11-21T13:25:01.123456+00:00 mx posthaste/qmgr[5]: 4bXyzQ1z2: "
	  "removed",
	    "qmgr", "5", "4bXyzQ1z2", NULL, NULL },
	{ HEAD "smtpd[6]: warning: 4bXyzQ1z2 is no id here", "smtpd", "6", "",
	    NULL, NULL },
};

static void
test_rows(void **state)
{
	struct log_line l;
	struct span s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(log_line_parse(span_of(rows[i].line), &l));
		assert_true(span_is(log_line_program(&l), rows[i].program));
		assert_true(span_is(l.pid, rows[i].pid));
		assert_true(span_is(l.id, rows[i].id));
		assert_int_equal(log_line_child(&l, &s), rows[i].child != NULL);
		if (rows[i].child)
			assert_true(span_is(s, rows[i].child));
		if (rows[i].client) {
			assert_true(log_line_client(&l, &s));
			assert_true(span_is(s, rows[i].client));
		}
	}
}

static void
test_values(void **state)
{
	struct log_line l;
	struct span s;

	(void)state;
	assert_true(log_line_parse(SPAN(HEAD "smtp[4]: 4bXyzQ1z2: "
					     "to=<a b@c.test>, orig_to=<x>, "
					     "status=sent (250 ok)"),
	    &l));
	assert_true(log_line_value(&l, "to", &s));
	assert_true(span_is(s, "a b@c.test"));
	assert_true(log_line_value(&l, "status", &s));
	assert_true(span_is(s, "sent"));
	assert_false(log_line_value(&l, "relay", &s));
}

static void
test_no_lines(void **state)
{
	static const char *const bad[] = { "", "Nov", "Nov 21 13:25:01 ",
		"Nov 21 13:25:01 mx no tag here", HEAD "smtpd[12] no colon",
		"nonsense[1]: x" };
	struct log_line l;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(log_line_parse(span_of(bad[i]), &l));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
