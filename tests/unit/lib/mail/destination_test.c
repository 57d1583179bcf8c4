/* SPDX-License-Identifier: ISC */
#include "lib/mail/destination.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void
next_hops(void **state)
{
	static const struct {
		const char *text;
		bool lmtp;
		const char *host; /* NULL: not valid */
		const char *path;
		uint16_t port;
		bool mx;
	} rows[] = {
		{ "example.test", false, "example.test", NULL, 2525, true },
		{ "example.test:26", false, "example.test", NULL, 26, true },
		{ "example.test:smtp", false, "example.test", NULL, 25, true },
		{ "[mx.example.test]", false, "mx.example.test", NULL, 2525,
		    false },
		{ "[mx.example.test]:587", false, "mx.example.test", NULL, 587,
		    false },
		{ "[192.0.2.1]:25", false, "192.0.2.1", NULL, 25, false },
		{ "[2001:db8::1]:25", false, "2001:db8::1", NULL, 25, false },
		{ "[IPv6:2001:db8::1]", false, "2001:db8::1", NULL, 2525,
		    false },
		{ "b\xc3\xbc"
		  "cher.test",
		    false, "xn--bcher-kva.test", NULL, 2525, true },
		{ "store.test", true, "store.test", NULL, 2525, false },
		{ "inet:store.test:24", true, "store.test", NULL, 24, false },
		{ "inet:[127.0.0.1]:24", true, "127.0.0.1", NULL, 24, false },
		{ "unix:private/x:y", true, "", "private/x:y", 2525, false },
		{ "unix:", true, NULL, NULL, 0, false },
		{ "", false, NULL, NULL, 0, false },
		{ "[mx.example.test", false, NULL, NULL, 0, false },
		{ "[mx.example.test]25", false, NULL, NULL, 0, false },
		{ "[mx.example.test]:", false, NULL, NULL, 0, false },
		{ "[mx.example.test]:Submission", false, "mx.example.test",
		    NULL, 587, false },
		{ "example.test:0", false, NULL, NULL, 0, false },
		{ "example.test:70000", false, NULL, NULL, 0, false },
		{ "example.test:nothing", false, NULL, NULL, 0, false },
		{ "-bad-.test", false, NULL, NULL, 0, false },
		{ "a..test", false, NULL, NULL, 0, false },
		{ "[]", false, NULL, NULL, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct destination d[DESTINATIONS_MAX];
		struct arena *a = arena_new();
		struct span bad = SPAN("");
		size_t n = destination_parse(a, rows[i].text, rows[i].lmtp,
		    2525, d, &bad);

		if (n != (rows[i].host != NULL))
			fail_msg("%s: %zu", rows[i].text, n);
		if (n == 1) {
			assert_string_equal(d[0].host, rows[i].host);
			assert_string_equal(d[0].text, rows[i].text);
			assert_int_equal(d[0].port, rows[i].port);
			assert_int_equal(d[0].mx, rows[i].mx);
			assert_int_equal(d[0].path != NULL,
			    rows[i].path != NULL);
			if (d[0].path != NULL)
				assert_string_equal(d[0].path, rows[i].path);
		}
		arena_free(&a);
	}
}

static void
several_in_their_order(void **state)
{
	struct destination d[DESTINATIONS_MAX];
	struct arena *a = arena_new();
	struct span bad = SPAN("");

	(void)state;
	assert_int_equal(destination_parse(a, "[a.test], b.test:26  c.test",
			     false, 25, d, &bad),
	    3);
	assert_string_equal(d[0].host, "a.test");
	assert_false(d[0].mx);
	assert_int_equal(d[1].port, 26);
	assert_string_equal(d[2].host, "c.test");
	assert_int_equal(destination_parse(a, "a.test, [b", false, 25, d, &bad),
	    0);
	assert_true(span_is(bad, "[b"));
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_hops),
		cmocka_unit_test(several_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
