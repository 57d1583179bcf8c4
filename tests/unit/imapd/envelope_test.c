/* SPDX-License-Identifier: ISC */
#include "imapd/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "imapd/body_structure.h"

static void
expect_envelope(const char *header, const char *expected)
{
	struct buf out = BUF_INIT(ENVELOPE_TEXT_MAX);
	struct mime_envelope e;

	mime_envelope_read(span_of(header), &e);
	envelope_write(&e, &out);
	if (strcmp(buf_text(&out), expected) != 0)
		fail_msg("%s\ngives %s\nnot   %s", header, buf_text(&out),
		    expected);
	buf_fini(&out);
}

/* RFC 9051 section 8. */
static void
example_of_the_rfc(void **state)
{
	(void)state;
	expect_envelope("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
			"From: Terry Gray <gray@cac.washington.edu>\r\n"
			"Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
			"To: imap@cac.washington.edu\r\n"
			"cc: minutes@CNRI.Reston.VA.US, "
			"John Klensin <KLENSIN@MIT.EDU>\r\n"
			"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
			"MIME-Version: 1.0\r\n"
			"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n",
	    "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" "
	    "\"IMAP4rev2 WG mtg summary and minutes\" "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((NIL NIL \"imap\" \"cac.washington.edu\")) "
	    "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")"
	    "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
	    "\"<B27397-0100000@cac.washington.edu>\")");
}

static const struct {
	const char *value, *list; /* of To */
} lists[] = {
	{ "a@b", "((NIL NIL \"a\" \"b\"))" },
	{ "\"Joe Q. Public\" <john@q>",
	    "((\"Joe Q. Public\" NIL \"john\" \"q\"))" },
	{ "John \"Q\" Public <a@b>", "((\"John Q Public\" NIL \"a\" \"b\"))" },
	{ "\"say \\\"hi\\\" \\\\\" <a@b>",
	    "((\"say \\\"hi\\\" \\\\\" NIL \"a\" \"b\"))" },
	{ "a@b (Joe (the) man)", "((\"Joe (the) man\" NIL \"a\" \"b\"))" },
	{ "Joe\r\n  Doe <a@b>", "((\"Joe Doe\" NIL \"a\" \"b\"))" },
	{ "\"\" <a@b>", "((NIL NIL \"a\" \"b\"))" },
	{ "\"a b\"@c", "((NIL NIL \"a b\" \"c\"))" },
	{ "<@x,@y:a@b>", "((NIL \"@x,@y\" \"a\" \"b\"))" },
	{ "undisclosed-recipients:;",
	    "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))" },
	{ "A Group: Ed <joe@w.t>,j@one.t ; c@d",
	    "((NIL NIL \"A Group\" NIL)(\"Ed\" NIL \"joe\" \"w.t\")"
	    "(NIL NIL \"j\" \"one.t\")(NIL NIL NIL NIL)(NIL NIL \"c\" "
	    "\"d\"))" },
	{ "g: a@b",
	    "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")"
	    "(NIL NIL NIL NIL))" },
	{ "g: h: a@b;",
	    "((NIL NIL \"g\" NIL)(NIL NIL NIL NIL)"
	    "(NIL NIL \"h\" NIL)(NIL NIL \"a\" \"b\")"
	    "(NIL NIL NIL NIL))" },
	{ "root", "((NIL NIL \"root\" \"MISSING_DOMAIN\"))" },
	{ "Nobody <>",
	    "((\"Nobody\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "no address at all",
	    "((\"no address at all\" NIL \"MISSING_MAILBOX\" "
	    "\"MISSING_DOMAIN\"))" },
	{ "", "NIL" },
	{ " , ,", "((\", ,\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "J\xc3\xb6rg <a@b>", "(({5}\r\nJ\xc3\xb6rg NIL \"a\" \"b\"))" },
	{ "=?utf-8?q?J=C3=B6rg?= <a@b>",
	    "((\"=?utf-8?q?J=C3=B6rg?=\" NIL \"a\" \"b\"))" },
	{ "a@b, <broken", "((NIL NIL \"a\" \"b\"))" },
};

static void
address_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct buf header = BUF_INIT(65536), text = BUF_INIT(65536);

		buf_printf(&header, "To: %s\r\n", lists[i].value);
		buf_printf(&text, "(NIL NIL NIL NIL NIL %s NIL NIL NIL NIL)",
		    lists[i].list);
		expect_envelope(buf_text(&header), buf_text(&text));
		buf_fini(&header);
		buf_fini(&text);
	}
}

static void
sender_and_reply_to_default_to_from(void **state)
{
	(void)state;
	expect_envelope("From: a@b\nSender:\nReply-To: c@d\n",
	    "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) "
	    "((NIL NIL \"c\" \"d\")) NIL NIL NIL NIL NIL)");
}

static void
broken_fields_are_valid_strings(void **state)
{
	(void)state;
	expect_envelope("Subject:\nDate: \"\\\n",
	    "(\"\\\"\\\\\" \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	expect_envelope("Subject: a\rb\n",
	    "(NIL {3}\r\na\rb NIL NIL NIL NIL NIL NIL NIL NIL)");
	expect_envelope("Subject: one\n\ttwo\r\n three\n",
	    "(NIL \"one two three\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	expect_envelope("Subject: \xff\n",
	    "(NIL {1}\r\n\xff NIL NIL NIL NIL NIL NIL NIL NIL)");
	expect_envelope("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
}

/* CVE-2024-23184: a list of 100,000 takes no time, and is cut. */
static void
long_lists_are_cut(void **state)
{
	struct buf header = BUF_INIT(8 << 20),
		   out = BUF_INIT(ENVELOPE_TEXT_MAX);
	struct mime_envelope e;
	clock_t from = clock();

	(void)state;
	buf_add_text(&header, "From: ");
	for (int i = 0; i < 100000; i++)
		buf_printf(&header, "user number <user%d@example.test>,\n ", i);
	buf_add_text(&header, "z@z\n");
	mime_envelope_read(buf_span(&header), &e);
	envelope_write(&e, &out);
	assert_false(out.overflow);
	assert_true(out.n > 3 * ENVELOPE_LIST_MAX);
	assert_true(out.n < 4 * ENVELOPE_LIST_MAX);
	assert_true(clock() - from < 5 * CLOCKS_PER_SEC);
	buf_fini(&header);
	buf_fini(&out);
}

static void
expect_structure(const char *message, const char *body, const char *structure,
    const char *rev2)
{
	struct mime_tree_builder *b = mime_tree_begin();
	struct buf out = BUF_INIT(ENVELOPE_TEXT_MAX);
	struct mime_tree *t;

	mime_tree_put(b, span_of(message));
	t = mime_tree_end(&b);
	body_structure_write(t, false, false, &out);
	assert_string_equal(buf_text(&out), body);
	buf_reset(&out);
	body_structure_write(t, true, false, &out);
	assert_string_equal(buf_text(&out), structure);
	assert_int_equal(body_structure_differs(buf_span(&out)), rev2 != NULL);
	buf_reset(&out);
	body_structure_write(t, true, true, &out);
	assert_string_equal(buf_text(&out), rev2 != NULL ? rev2 : structure);
	buf_fini(&out);
	mime_tree_free(&t);
}

static void
structures(void **state)
{
	(void)state;
	expect_structure("Subject: x\n\none\ntwo\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "10 2)",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "10 2 NIL NIL NIL NIL)",
	    NULL);
	/* RFC 9051 section 7.5.2, two texts and a disposition */
	expect_structure(
	    "Content-Type: MULTIPART/MIXED; boundary=\"cut here\"\r\n\r\n"
	    "--cut here\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
	    "one\r\n\r\n--cut here\r\n"
	    "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=\"cc.diff\"\r\n"
	    "Content-ID: <960723163407.20117h@cac.washington.edu>\r\n"
	    "Content-Description: Compiler diff\r\n"
	    "Content-Transfer-Encoding: BASE64\r\n"
	    "Content-Disposition: attachment; filename=\"cc.diff\"\r\n"
	    "Content-Language: en, de\r\nContent-Location: l\r\n"
	    "Content-MD5: m\r\n\r\nYQ==\r\n--cut here--\r\n",
	    "((\"text\" \"plain\" (\"charset\" \"US-ASCII\") NIL NIL \"7bit\" "
	    "5 1)(\"text\" \"plain\" (\"charset\" \"US-ASCII\" \"name\" "
	    "\"cc.diff\") \"<960723163407.20117h@cac.washington.edu>\" "
	    "\"Compiler diff\" \"base64\" 4 0) \"mixed\")",
	    "((\"text\" \"plain\" (\"charset\" \"US-ASCII\") NIL NIL \"7bit\" "
	    "5 1 NIL NIL NIL NIL)(\"text\" \"plain\" (\"charset\" "
	    "\"US-ASCII\" \"name\" \"cc.diff\") "
	    "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" "
	    "\"base64\" 4 0 \"m\" (\"attachment\" (\"filename\" "
	    "\"cc.diff\")) (\"en\" \"de\") \"l\") \"mixed\" (\"boundary\" "
	    "\"cut here\") NIL NIL NIL)",
	    NULL);
	expect_structure("Content-Type: message/rfc822\n\nSubject: "
			 "inner\nFrom: a@b\n"
			 "Content-Type: image/png\n\nx\n",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 57 (NIL \"inner\" "
	    "((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) "
	    "((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL) (\"image\" \"png\" "
	    "NIL NIL NIL \"7bit\" 3) 5)",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 57 (NIL \"inner\" "
	    "((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) "
	    "((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL) (\"image\" \"png\" "
	    "NIL NIL NIL \"7bit\" 3 NIL NIL NIL NIL) 5 NIL NIL NIL NIL)",
	    NULL);
	expect_structure("Content-Type: a/b; name*=utf-8''%C3%A4\n\n",
	    "(\"a\" \"b\" (\"name*\" \"utf-8''%C3%A4\") NIL NIL \"7bit\" 0)",
	    "(\"a\" \"b\" (\"name*\" \"utf-8''%C3%A4\") NIL NIL \"7bit\" 0 "
	    "NIL NIL NIL NIL)",
	    "(\"a\" \"b\" (\"name*\" {2}\r\n\xc3\xa4) NIL NIL \"7bit\" 0 "
	    "NIL NIL NIL NIL)");
	expect_structure("Content-Type: message/global\n\n\n",
	    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 2)",
	    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 2 NIL NIL NIL NIL)",
	    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 2 (NIL NIL NIL NIL "
	    "NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) 1 NIL NIL "
	    "NIL NIL)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_of_the_rfc),
		cmocka_unit_test(address_lists),
		cmocka_unit_test(sender_and_reply_to_default_to_from),
		cmocka_unit_test(broken_fields_are_valid_strings),
		cmocka_unit_test(long_lists_are_cut),
		cmocka_unit_test(structures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
