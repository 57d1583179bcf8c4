/* SPDX-License-Identifier: ISC */
/* Lines of every kind, and what logd makes of them. */
#include "logd/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include <cmocka.h>

/* Sat Nov 21 13:25:01 2026 UTC */
static const struct line_stamp stamp = { 1795267501123456, "mx" };

#define HEAD "Nov 21 13:25:01 mx "
#define ID "4jWvmS74GSz01CH3SM1H"

static const struct row {
	const char *name;
	struct span raw;
	const char *text;
} rows[] = {
	{ "plain", SPAN("I posthaste/smtpd[12]: connect from x"),
	    HEAD "posthaste/smtpd[12]: connect from x\n" },
	{ "no pid", SPAN("I posthaste/postlog[0]: hi"),
	    HEAD "posthaste/postlog: hi\n" },
	{ "control characters", SPAN("I a[1]: x\x1b[2J\r\ny\0z\x7f"),
	    HEAD "a[1]: x?[2J??y?z?\n" },
	{ "utf-8", SPAN("I a[1]: caf\xc3\xa9 \xe2\x82\xac"),
	    HEAD "a[1]: caf\xc3\xa9 \xe2\x82\xac\n" },
	{ "bad utf-8", SPAN("I a[1]: \xc3 \xff\xfe \xc0\xaf \xed\xa0\x80"),
	    HEAD "a[1]: ? ?? ?? ???\n" },
	{ "C1 controls and overrides",
	    SPAN("I a[1]: \xc2\x9b"
		 "1m \xe2\x80\xae"
		 "x \xe2\x80\xa8"),
	    HEAD "a[1]: ??1m ???x ???\n" },
	{ "no level", SPAN("hello"), HEAD "posthaste/unknown: hello\n" },
	{ "unknown level", SPAN("X a[1]: b"),
	    HEAD "posthaste/unknown: X a[1]: b\n" },
	{ "tag with blanks", SPAN("I a b[1]: c"),
	    HEAD "posthaste/unknown: I a b[1]: c\n" },
	{ "tag with a line end", SPAN("I a\nb[1]: c"),
	    HEAD "posthaste/unknown: I a?b[1]: c\n" },
	{ "pid is no number", SPAN("I a[x]: b"),
	    HEAD "posthaste/unknown: I a[x]: b\n" },
	{ "brackets the wrong way", SPAN("I a]1[: b"),
	    HEAD "posthaste/unknown: I a]1[: b\n" },
	{ "empty", SPAN(""), HEAD "posthaste/unknown: \n" },
	{ "empty text", SPAN("W a[1]: "), HEAD "a[1]: \n" },
};

static void
lines_become_harmless(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT(65536);
		struct line l = line_parse(rows[i].raw);

		line_text(&l, &stamp, &out);
		if (strcmp(buf_text(&out), rows[i].text) != 0)
			fail_msg("%s: %s", rows[i].name, buf_text(&out));
		buf_fini(&out);
	}
}

static void
long_lines_are_cut(void **state)
{
	static char raw[20000];
	struct buf out = BUF_INIT(65536);
	struct line l;

	(void)state;
	memset(raw, 'x', sizeof(raw));
	memcpy(raw, "I a[1]: ", 8);
	l = line_parse((struct span){ raw, sizeof(raw) });
	assert_int_equal(l.pid, 1);
	assert_int_equal(l.text.n, LINE_TEXT_MAX);
	buf_fini(&out);
}

static void
syslog_gets_a_priority(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct line l = line_parse(SPAN("W a[1]: warning: b"));

	(void)state;
	line_syslog(&l, &stamp, LOG_MAIL, &out);
	assert_string_equal(buf_text(&out),
	    "<20>Nov 21 13:25:01 a[1]: warning: b");
	buf_fini(&out);
}

static const struct {
	const char *raw;
	const char *json;
} objects[] = {
	{ "I posthaste/virtual[7]: " ID ": to=<b,c@x>, relay=virtual, "
	  "delay=0.01, status=sent (a, b=c)",
	    "{\"time\":\"2026-11-21T13:25:01.123456+00:00\",\"host\":\"mx\","
	    "\"program\":\"posthaste/virtual\",\"pid\":7,\"level\":\"info\","
	    "\"message\":\"" ID ": to=<b,c@x>, relay=virtual, delay=0.01, "
	    "status=sent (a, b=c)\",\"queue_id\":\"" ID "\",\"fields\":{"
	    "\"to\":\"<b,c@x>\",\"relay\":\"virtual\",\"delay\":\"0.01\","
	    "\"status\":\"sent (a, b=c)\"}}\n" },
	{ "W a[1]: say \"x\\y\"",
	    "{\"time\":\"2026-11-21T13:25:01.123456+00:00\",\"host\":\"mx\","
	    "\"program\":\"a\",\"pid\":1,\"level\":\"warning\",\"message\":"
	    "\"say \\\"x\\\\y\\\"\"}\n" },
	{ "I a[1]: " ID ": removed",
	    "{\"time\":\"2026-11-21T13:25:01.123456+00:00\",\"host\":\"mx\","
	    "\"program\":\"a\",\"pid\":1,\"level\":\"info\",\"message\":\"" ID
	    ": removed\",\"queue_id\":\"" ID "\"}\n" },
};

static void
json_has_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		struct buf out = BUF_INIT(65536);
		struct line l = line_parse(span_of(objects[i].raw));

		line_json(&l, &stamp, &out);
		assert_string_equal(buf_text(&out), objects[i].json);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_harmless),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(syslog_gets_a_priority),
		cmocka_unit_test(json_has_fields),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
