/* SPDX-License-Identifier: ISC */
#include "lib/mail/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/mail/received.h"

static void
formats(void **state)
{
	struct buf out = BUF_INIT(REPLY_TEXT_MAX);
	char text[2000];

	(void)state;
	reply_format(&out, 250, "2.0.0", "Ok");
	reply_format(&out, 550, "5.7.1", "one\ntwo\rx");
	reply_format(&out, 220, NULL, "host");
	assert_string_equal(buf_text(&out),
	    "250 2.0.0 Ok\r\n"
	    "550-5.7.1 one\r\n550 5.7.1 two?x\r\n220 host\r\n");
	buf_reset(&out);
	memset(text, 0xc3, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 1; i < sizeof(text) - 1; i += 2)
		text[i] = (char)0xb6;
	reply_format(&out, 550, "5.1.1", text);
	assert_true(out.n <= REPLY_LINE_MAX);
	assert_int_equal((unsigned char)out.p[out.n - 3], 0xb6);
	buf_fini(&out);
}

struct row {
	const char *line;
	bool good;
	int code;
	bool more;
	const char *text;
};

static const struct row rows[] = {
	{ "250 ok", true, 250, false, "ok" },
	{ "250-ok", true, 250, true, "ok" },
	{ "250", true, 250, false, "" },
	{ "250-", true, 250, true, "" },
	{ "250x", false, 0, false, "" },
	{ "25", false, 0, false, "" },
	{ "150 x", false, 0, false, "" },
	{ "650 x", false, 0, false, "" },
	{ "2a0 x", false, 0, false, "" },
	{ "", false, 0, false, "" },
};

static void
lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply_line r;

		assert_int_equal(reply_parse_line(span_of(rows[i].line), &r),
		    rows[i].good);
		if (!rows[i].good)
			continue;
		assert_int_equal(r.code, rows[i].code);
		assert_int_equal(r.more, rows[i].more);
		assert_true(span_is(r.text, rows[i].text));
	}
}

struct code_row {
	const char *text;
	int code;
	const char *dsn;
	const char *rest;
};

/* As tables and filters say it; attacks like "5.7.2" with nothing behind. */
static const struct code_row code_rows[] = {
	{ "550 5.7.1 no", 550, "5.7.1", "no" },
	{ "550 no", 550, "", "no" },
	{ "5.7.2 no", 0, "5.7.2", "no" },
	{ "5.7.2", 0, "5.7.2", "" },
	{ "5.7.2 ", 0, "5.7.2", "" },
	{ "5.7.", 0, "", "5.7." },
	{ "999.1.1 x", 0, "", "999.1.1 x" },
	{ "", 0, "", "" },
	{ "550", 550, "", "" },
	{ "go away", 0, "", "go away" },
	{ "5.7.1111111111111111111111111 x", 0, "",
	    "5.7.1111111111111111111111111 x" },
};

static void
codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(code_rows) / sizeof(code_rows[0]); i++) {
		/* on the heap, exactly as long, so that over-reads show */
		size_t n = strlen(code_rows[i].text);
		char *copy = memcpy(malloc(n + 1), code_rows[i].text, n);
		struct span text = { copy, n };
		char dsn[WHY_DSN_MAX] = "";
		int code = 0;

		reply_take_codes(&text, &code, dsn);
		assert_int_equal(code, code_rows[i].code);
		assert_string_equal(dsn, code_rows[i].dsn);
		assert_true(span_is(text, code_rows[i].rest));
		free(copy);
	}
}

static void
trace_header(void **state)
{
	struct received r = {
		.helo = "evil) by (x\r\n",
		.client_name = "unknown",
		.client_address = "2001:db8::1",
		.tls = "TLSv1.3 with cipher X (256/256 bits)",
		.hostname = "mx.test",
		.mail_name = "Posthaste",
		.protocol = "ESMTPS",
		.id = "4ABC",
		.recipient = "two words@c",
	};
	struct buf out = BUF_INIT(4096);

	(void)state;
	setenv("TZ", "UTC", 1);
	assert_true(received_format(&r, &out));
	assert_string_equal(buf_text(&out),
	    "Received: from evil??by??x?? (unknown [IPv6:2001:db8::1])\r\n"
	    "\t(using TLSv1.3 with cipher X (256/256 bits))\r\n"
	    "\tby mx.test (Posthaste) with ESMTPS id 4ABC\r\n"
	    "\tfor <\"two words\"@c>; Thu, 1 Jan 1970 00:00:00 +0000\r\n");
	buf_reset(&out);
	r.local = "userid 1000";
	r.recipient = r.protocol = NULL;
	assert_true(received_format(&r, &out));
	assert_string_equal(buf_text(&out),
	    "Received: by mx.test (Posthaste, from userid 1000) id 4ABC;\r\n"
	    "\tThu, 1 Jan 1970 00:00:00 +0000\r\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(lines),
		cmocka_unit_test(codes),
		cmocka_unit_test(trace_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
