/* SPDX-License-Identifier: ISC */
#include "lib/mail/xtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* decode(encode(x)) is x for every byte but NUL, which is refused. */
static void
round_trip_of_every_byte(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		struct buf text = BUF_INIT(8), back = BUF_INIT(8);

		assert_true(xtext_encode((struct span){ &c, 1 }, &text));
		assert_int_equal(xtext_decode(buf_span(&text), &back), i != 0);
		if (i != 0)
			assert_memory_equal(back.p, &c, 1);
		buf_fini(&text);
		buf_fini(&back);
	}
}

static void
what_is_no_xtext(void **state)
{
	static const char *const bad[] = { "+", "+4", "+4g", "+4a", "a=b",
		"a b", "+00", "a\x80", "\x7f", "++" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf out = BUF_INIT(64);

		assert_false(xtext_decode(span_of(bad[i]), &out));
		buf_fini(&out);
	}
}

static void
limits_hold(void **state)
{
	struct buf out = BUF_INIT(3);

	(void)state;
	assert_true(xtext_decode(SPAN("a+2Bc"), &out));
	buf_reset(&out);
	assert_false(xtext_decode(SPAN("abcd"), &out));
	buf_fini(&out);
}

struct row {
	const char *text;
	const char *decoded; /* NULL: refused */
	const char *utf8; /* encoded again with SMTPUTF8 */
	const char *ascii; /* and without */
};

static const struct row orcpt_rows[] = {
	{ "rfc822;bob@example.test", "rfc822;bob@example.test",
	    "rfc822;bob@example.test", "rfc822;bob@example.test" },
	{ "rfc822;a+2Bb@c", "rfc822;a+b@c", "rfc822;a+2Bb@c",
	    "rfc822;a+2Bb@c" },
	{ "utf-8;j\\x{F6}rg@c", "utf-8;j\xc3\xb6rg@c", "utf-8;j\xc3\xb6rg@c",
	    "utf-8;j\\x{F6}rg@c" },
	{ "UTF-8;j\xc3\xb6rg@c", "UTF-8;j\xc3\xb6rg@c", "UTF-8;j\xc3\xb6rg@c",
	    "UTF-8;j\\x{F6}rg@c" },
	{ "utf-8;a\\x{2B}b@c", "utf-8;a+b@c", "utf-8;a\\x{2B}b@c",
	    "utf-8;a\\x{2B}b@c" },
	{ "utf-8;\\x{1F600}@c", "utf-8;\xf0\x9f\x98\x80@c",
	    "utf-8;\xf0\x9f\x98\x80@c", "utf-8;\\x{1F600}@c" },
	{ "utf-8;\\x{D800}@c", NULL, NULL, NULL },
	{ "utf-8;\\x{00}@c", NULL, NULL, NULL },
	{ "utf-8;\\x{0A}@c", NULL, NULL, NULL },
	{ "utf-8;\\x{110000}@c", NULL, NULL, NULL },
	{ "utf-8;\\x{41", NULL, NULL, NULL },
	{ "utf-8;\xc3@c", NULL, NULL, NULL },
	{ "rfc822;a+00b", NULL, NULL, NULL },
	{ "rfc822;a+0Ab", NULL, NULL, NULL },
	{ "rfc822;a+FFb", NULL, NULL, NULL },
	{ "rfc822;", NULL, NULL, NULL },
	{ ";bob", NULL, NULL, NULL },
	{ "rfc822", NULL, NULL, NULL },
	{ "rfc 822;bob", NULL, NULL, NULL },
};

static void
original_recipients(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(orcpt_rows) / sizeof(orcpt_rows[0]);
	     i++) {
		const struct row *r = &orcpt_rows[i];
		struct buf out = BUF_INIT(ORCPT_MAX), again = BUF_INIT(256);

		assert_int_equal(orcpt_decode(span_of(r->text), &out),
		    r->decoded != NULL);
		if (r->decoded != NULL) {
			assert_string_equal(buf_text(&out), r->decoded);
			assert_true(orcpt_encode(buf_span(&out), true, &again));
			assert_string_equal(buf_text(&again), r->utf8);
			buf_reset(&again);
			assert_true(
			    orcpt_encode(buf_span(&out), false, &again));
			assert_string_equal(buf_text(&again), r->ascii);
		}
		buf_fini(&out);
		buf_fini(&again);
	}
}

static void
envelope_ids(void **state)
{
	struct buf out = BUF_INIT(ENVID_MAX);

	(void)state;
	assert_true(envid_decode(SPAN("QQ+2B1"), &out));
	assert_string_equal(buf_text(&out), "QQ+1");
	buf_reset(&out);
	assert_false(envid_decode(SPAN("a+0Db"), &out));
	buf_reset(&out);
	assert_false(envid_decode(SPAN(""), &out));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip_of_every_byte),
		cmocka_unit_test(what_is_no_xtext),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(original_recipients),
		cmocka_unit_test(envelope_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
