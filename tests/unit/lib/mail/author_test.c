/* SPDX-License-Identifier: ISC */
/* Who a From: field says a message is from, to whatever reader. */
#include "lib/mail/author.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/buf.h"

static const struct row {
	const char *text;
	const char *found; /* each with ";"; NULL: not understood */
} rows[] = {
	{ "a@b", "a@b;" },
	{ "Al <a@b>, c@d", "a@b;c@d;" },
	{ "=?utf-8?q?x=40y?= <a@b>", "a@b;" },
	{ "\"x@y\" <a@b>", "a@b;" },
	{ "\"x\\\"@y\" <a@b>", "a@b;" },
	{ "(x@y) a@b (c@d)", "a@b;" },
	{ "Al (x@y) Bert <a@b>", "a@b;" },
	{ "\"<x@y>\" <a@b>", "a@b;" },
	{ "\r\n\tAl\r\n <a\r\n @b>", "a@b;" },
	{ "<a@xn--bcher-kva.test>", "a@xn--bcher-kva.test;" },
	{ "\xc3\xb6@b\xc3\xb6.test", "\xc3\xb6@b\xc3\xb6.test;" },
	{ "\"x@y\"@b", "x@y@b;" },
	/* RFC 6854 */
	{ "Partners: a@b, Al <c@d>;", "a@b;c@d;" },
	{ "Partners:;", NULL },
	{ "Partners:;, a@b", "a@b;" },
	/* an address to some readers, a name to others */
	{ "x@y <a@b>", "x@y;a@b;" },
	{ "a@b <a@b>", "a@b;a@b;" },
	{ "Al x@y <a@b>", NULL },
	{ "x@y: a@b;", "x@y;a@b;" },
	{ "x@y:;", "x@y;" },
	{ "x@y:a@b", "x@y;a@b;" },
	{ "\"x@y\": a@b;", "a@b;" },
	/* nobody */
	{ "", NULL },
	{ "<>", NULL },
	{ ",", NULL },
	{ "(x@y)", NULL },
	{ "a@b, <>", NULL },
	/* not in all eyes */
	{ "<a@b> <x@y>", NULL },
	{ "<x@y> a@b", NULL },
	{ "a@b x@y", NULL },
	{ "<x@y:a@b>", NULL },
	{ "\"x@y\" a@b", NULL },
	{ "\"x@y", NULL },
	{ "a@b, \"x@y", NULL },
	{ "=?utf-8?q?x=40y=00?=@b", NULL },
	{ "<=?utf-8?b?eEB5?=@b>", NULL },
	{ "\"=?utf-8?b?eEB5?=\"@b", NULL },
	{ "\"x\001\"@b", NULL },
	{ "x\xff@b", NULL },
};

static void
note(void *with, struct span address)
{
	buf_add_span(with, address);
	buf_add_char(with, ';');
}

static void
reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf found = BUF_INIT(4096);
		bool good = author_each(span_of(rows[i].text), note, &found);

		if (good != (rows[i].found != NULL) ||
		    (good && strcmp(buf_text(&found), rows[i].found) != 0))
			fail_msg("%s: %s, %s", rows[i].text,
			    good ? "good" : "bad", buf_text(&found));
		buf_fini(&found);
	}
}

static void
no_byte_is_swallowed(void **state)
{
	struct buf found = BUF_INIT(4096);

	(void)state;
	assert_false(author_each(SPAN("\"a\0\"@b"), note, &found));
	assert_false(author_each(SPAN("a@b\0, x@y"), note, &found));
	buf_fini(&found);
}

static void
nobody(void **state)
{
	static const struct {
		const char *text;
		bool so;
	} fields[] = {
		{ "", true },
		{ "<>", true },
		{ "Boss:;", true },
		{ "Scanner Floor 2", true },
		{ "\"Scanner\", <>", false },
		{ "Scanner", false },
		{ "<>, Scanner", false },
		{ "Scanner Floor 2, bob", false },
		{ "<> <bob>, bob", false },
		{ "John Doe john@x", false },
		{ "(x@y)", false },
		{ "\"x@y", false },
		{ "Boss Of =?utf-8?q?x=40y?=", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (author_names_nobody(span_of(fields[i].text)) !=
		    fields[i].so)
			fail_msg("%s", fields[i].text);
}

static void
owners(void **state)
{
	(void)state;
	assert_true(author_owners_have("alice", "Alice"));
	assert_true(author_owners_have("bob, alice\tcarol", "carol"));
	assert_false(author_owners_have("bob@x alice@x", "alice"));
	assert_false(author_owners_have("", ""));
	assert_false(author_owners_have("alice", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(no_byte_is_swallowed),
		cmocka_unit_test(nobody),
		cmocka_unit_test(owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
