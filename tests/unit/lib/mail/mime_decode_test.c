/* SPDX-License-Identifier: ISC */
#include "lib/mail/mime_decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "lib/mail/charset.h"
#include "lib/mail/collate.h"

static const struct {
	const char *value, *text;
} headers[] = {
	{ " plain text\r\n\tgoes on ", "plain text\tgoes on" },
	{ "=?utf-8?q?a=C3=A4_b?=", "a\xc3\xa4 b" },
	{ "=?ISO-8859-1?B?5Pb8?= x", "\xc3\xa4\xc3\xb6\xc3\xbc x" },
	{ "=?iso-8859-1*de?q?=E4?=", "\xc3\xa4" },
	{ "a =?utf-8?q?b?= =?utf-8?q?c?=\r\n =?us-ascii?q?d?= e", "a bcd e" },
	/* a character cut in two */
	{ "=?utf-8?b?w6Q=?= =?utf-8?b?w6TD?= =?utf-8?b?pA==?=",
	    "\xc3\xa4\xc3\xa4\xc3\xa4" },
	{ "=?utf-8?q?x", "=?utf-8?q?x" },
	{ "=?utf-8?z?x?=", "=?utf-8?z?x?=" },
	{ "=?nowhere?q?x=E4?=", "x\xc3\xa4" },
	{ "=?=?=?utf-8?q?a?=", "=?=?a" },
	{ "raw \xe4 and \xc3\xa4", "raw \xc3\xa4 and \xc3\xa4" },
	{ "=?koi8-r?B?8NLJ18XU?=",
	    "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
	{ "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac" },
	{ "=?gb2312?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd" },
	{ "=?shift_jis?B?k/qWew==?=", "\xe6\x97\xa5\xe6\x9c\xac" },
	{ "=?utf-7?Q?+AOQ-?=", "\xc3\xa4" },
	{ "=?utf-8?q?=ff=fe?=", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "a=b =?utf-8?q?_?= c", "a=b   c" },
};

static void
header_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct buf out = BUF_INIT(1000);

		mime_decode_header(span_of(headers[i].value), &out);
		assert_string_equal(buf_text(&out), headers[i].text);
		buf_fini(&out);
	}
}

static const struct {
	enum mime_decoding encoding;
	const char *in, *out;
	bool broken;
} bodies[] = {
	{ DECODE_BASE64, "SGVsbG8sIHdvcmxk", "Hello, world", false },
	{ DECODE_BASE64, "SGVs\r\nbG8=\r\n", "Hello", false },
	{ DECODE_BASE64, "SGVsbA==", "Hell", false },
	{ DECODE_BASE64, "SGVsbA==SGVsbA==", "HellHell", false },
	{ DECODE_BASE64, "SGV*sbG8=", "Hello", true },
	{ DECODE_BASE64, "SGVsbG8", "Hello", false },
	{ DECODE_QUOTED_PRINTABLE, "a=3Db=\r\nc =\nd", "a=bc d", false },
	{ DECODE_QUOTED_PRINTABLE, "a  \r\nb\t\nc", "a\r\nb\nc", false },
	{ DECODE_QUOTED_PRINTABLE, "a=zz=4", "a=zz=4", true },
	{ DECODE_QUOTED_PRINTABLE, "a= \t\r\nb", "ab", false },
	{ DECODE_QUOTED_PRINTABLE, "a=c3=A4=", "a\xc3\xa4", false },
	{ DECODE_NONE, "a=3D", "a=3D", false },
};

/* Cut anywhere, the result is the same. */
static void
bodies_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct span in = span_of(bodies[i].in);

		for (size_t cut = 0; cut <= in.n; cut++) {
			struct buf out = BUF_INIT(1000);
			struct mime_decoder d;

			mime_decoder_init(&d, bodies[i].encoding);
			mime_decoder_put(&d, span_take(in, cut), &out);
			mime_decoder_put(&d, span_skip(in, cut), &out);
			mime_decoder_end(&d, &out);
			assert_string_equal(buf_text(&out), bodies[i].out);
			assert_int_equal(d.bad, bodies[i].broken);
			buf_fini(&out);
		}
	}
}

static void
charsets_in_pieces(void **state)
{
	static const struct {
		const char *name, *in;
	} rows[] = {
		{ "utf-8", "a\xe6\x97\xa5\xf0\x9f\x98\x80z\xe6\x97" },
		{ "shift_jis", "\x93\xfa\x96{a\x93" },
		{ "iso-2022-jp", "\x1b$BF|K\\\x1b(Bx" },
		{ "us-ascii", "\xe4 \xc3\xa4 \xc3" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span name = span_of(rows[i].name);
		struct span in = span_of(rows[i].in);
		struct buf whole = BUF_INIT(1000);

		assert_true(charset_to_utf8(name, in, &whole));
		for (size_t cut = 0; cut <= in.n; cut++) {
			struct buf out = BUF_INIT(1000);
			struct charset *c = charset_begin(name);

			charset_put(c, span_take(in, cut), &out);
			charset_put(c, span_skip(in, cut), &out);
			charset_flush(c, &out);
			charset_end(&c);
			assert_string_equal(buf_text(&out), buf_text(&whole));
			buf_fini(&out);
		}
		buf_fini(&whole);
	}
}

/* All that is offered can be used. */
static void
charsets_are_there(void **state)
{
	const char *const *names;
	size_t n = 0;

	(void)state;
	charset_prepare();
	for (names = charset_names(); *names != NULL; names++, n++) {
		struct buf out = BUF_INIT(100);

		assert_true(charset_known(span_of(*names)));
		if (strncmp(*names, "UTF-16", 6) == 0 ||
		    strncmp(*names, "UTF-32", 6) == 0)
			continue;
		charset_to_utf8(span_of(*names), SPAN("abc 123"), &out);
		assert_string_equal(buf_text(&out), "abc 123");
		buf_fini(&out);
	}
	assert_true(n > 30);
	assert_false(charset_known(SPAN("x-nowhere")));
	assert_true(charset_known(SPAN("")));
}

static void
folding(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "hello WORLD, and more", "HELLO world, AND MORE", true },
		{ "\xc3\xa4", "\xc3\x84", true },
		{ "\xc3\xa4", "a\xcc\x88", true },
		{ "\xef\xac\x81", "fi", false }, /* title case F, then i */
		{ "\xd0\xbf\xd1\x80", "\xd0\x9f\xd0\xa0", true },
		{ "\xe2\x91\xa0", "1", true }, /* circled one */
		{ "\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab",
		    true },
		{ "a", "b", false }, { "\xff", "\xff", true },
		{ "i", "\xc4\xb1", true }, /* dotless i is titled I */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf a = BUF_INIT(1000), b = BUF_INIT(1000);

		collate_fold(span_of(rows[i].a), &a);
		collate_fold(span_of(rows[i].b), &b);
		assert_int_equal(span_equal(buf_span(&a), buf_span(&b)),
		    rows[i].same);
		buf_fini(&a);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_values),
		cmocka_unit_test(bodies_in_pieces),
		cmocka_unit_test(charsets_in_pieces),
		cmocka_unit_test(charsets_are_there),
		cmocka_unit_test(folding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
