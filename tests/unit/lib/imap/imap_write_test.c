/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_write.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/imap/imap_utf7.h"

static void
strings_are_one_string(void **state)
{
	static const struct {
		struct span text;
		bool utf8;
		const char *string, *astring;
	} rows[] = {
		{ SPAN(""), false, "\"\"", "\"\"" },
		{ SPAN("a"), false, "\"a\"", "a" },
		{ SPAN("nil"), false, "\"nil\"", "\"nil\"" },
		{ SPAN("a b"), false, "\"a b\"", "\"a b\"" },
		{ SPAN("a\"\\"), false, "\"a\\\"\\\\\"", "\"a\\\"\\\\\"" },
		{ SPAN("BODY[x"), false, "\"BODY[x\"", "\"BODY[x\"" },
		{ SPAN("(a"), false, "\"(a\"", "\"(a\"" },
		{ SPAN("a\r\nb"), false, "{4}\r\na\r\nb", "{4}\r\na\r\nb" },
		{ SPAN("\xc3\xa9"), false, "{2}\r\n\xc3\xa9",
		    "{2}\r\n\xc3\xa9" },
		{ SPAN("\xc3\xa9"), true, "\"\xc3\xa9\"", "\"\xc3\xa9\"" },
		{ SPAN("\xe9"), true, "{1}\r\n\xe9", "{1}\r\n\xe9" },
		{ SPAN("a\0b"), true,
		    "{3}\r\na\x80"
		    "b",
		    "{3}\r\na\x80"
		    "b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT(1000);

		imap_write_string(&out, rows[i].text, rows[i].utf8);
		assert_string_equal(out.p, rows[i].string);
		buf_reset(&out);
		imap_write_astring(&out, rows[i].text, rows[i].utf8);
		assert_string_equal(out.p, rows[i].astring);
		buf_fini(&out);
	}
}

static void
nil_is_what_is_missing(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	imap_write_nstring(&out, (struct span){ NULL, 0 }, false);
	imap_write_nstring(&out, SPAN(""), false);
	assert_string_equal(out.p, "NIL\"\"");
	buf_fini(&out);
}

static void
long_ones_are_literals(void **state)
{
	struct buf out = BUF_INIT(10000);
	char text[2000];

	(void)state;
	memset(text, 'a', sizeof(text));
	imap_write_string(&out, (struct span){ text, 1024 }, false);
	assert_int_equal(out.p[0], '"');
	buf_reset(&out);
	imap_write_astring(&out, (struct span){ text, 1025 }, false);
	assert_true(span_starts(buf_span(&out), "{1025}\r\naaa"));
	buf_fini(&out);
}

static void
names_on_the_wire(void **state)
{
	static const struct {
		const char *name, *wire;
	} rows[] = {
		{ "INBOX", "INBOX" },
		{ "R&D", "R&-D" },
		{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
		  "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		    "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
		{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
		{ "\xf0\x9f\x98\x80", "&2D3eAA-" },
		{ "\xc3\xa4 \xc3\xb6", "\"&AOQ- &APY-\"" },
		{ "[Gmail]", "\"[Gmail]\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT(1000), back = BUF_INIT(1000);

		imap_write_mailbox(&out, rows[i].name, false);
		assert_string_equal(out.p, rows[i].wire);
		if (out.p[0] != '"') {
			assert_true(
			    imap_mailbox_name(buf_span(&out), false, &back));
			assert_string_equal(back.p, rows[i].name);
		}
		buf_fini(&out);
		buf_fini(&back);
	}
}

static void
names_that_are_none(void **state)
{
	static const char *const bad[] = { "&", "a&b", "&AGE-", "&2D0-",
		"&3gA-", "&2D0AYQ-", "&AOQ-&APY-", "&AOR-", "&AO-", "&A-",
		"&AOQ", "\xc3\xa9", "a\x7f", "a\nb", "&AAo-", "&!!!-",
		"&AAAA-" };
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (imap_mailbox_name(span_of(bad[i]), false, &out))
			fail_msg("%s became \"%s\"", bad[i], out.p);
	assert_true(imap_mailbox_name(SPAN("\xc3\xa9&"), true, &out));
	assert_string_equal(out.p, "\xc3\xa9&");
	assert_false(imap_mailbox_name(SPAN("\xe9"), true, &out));
	assert_false(imap_mailbox_name(SPAN("a\r"), true, &out));
	assert_true(imap_mailbox_name(SPAN("iNbOx"), true, &out));
	assert_string_equal(out.p, "INBOX");
	buf_fini(&out);
}

static void
dates(void **state)
{
	struct buf out = BUF_INIT(100);

	(void)state;
	setenv("TZ", "MST7", 1);
	tzset();
	imap_write_date_time(&out, 837596665);
	assert_string_equal(out.p, "\"17-Jul-1996 02:44:25 -0700\"");
	setenv("TZ", "UTC0", 1);
	tzset();
	buf_reset(&out);
	imap_write_date_time(&out, INT64_MAX);
	assert_string_equal(out.p, "\"30-Dec-9999 23:59:59 +0000\"");
	buf_reset(&out);
	imap_write_date_time(&out, INT64_MIN);
	assert_string_equal(out.p, "\"02-Jan-0001 00:00:00 +0000\"");
	buf_fini(&out);
}

static void
text_is_one_line(void **state)
{
	struct buf out = BUF_INIT(100);

	(void)state;
	imap_write_text(&out, "a\r\n* b\xc3\xa9\t");
	assert_string_equal(out.p, "a  * b?? ");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_one_string),
		cmocka_unit_test(nil_is_what_is_missing),
		cmocka_unit_test(long_ones_are_literals),
		cmocka_unit_test(names_on_the_wire),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(dates),
		cmocka_unit_test(text_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
