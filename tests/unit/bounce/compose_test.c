/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "bounce/compose.h"
#include "lib/queue/queue_file.h"

static struct msg_report_recipient recipient = {
	.address = "nobody@example.test",
	.original = "alias@example.test",
	.orcpt = "rfc822;asked@example.test",
	.action = "failed",
	.dsn = "5.1.1",
	.text = "host mx.test[192.0.2.1] said: 550 5.1.1 unknown",
	.mta = "mx.test",
	.mta_reply = "550 5.1.1 unknown",
};

static struct msg_report report = {
	.queue_id = "ORIGINAL",
	.sender = "alice@example.test",
	.envid = "envelope-7",
	.arrival = 1000000000000000,
	.recipients = { &recipient, 1 },
};

static const struct compose_words no_words;

static struct compose failure = {
	.words = &no_words,
	.kind = COMPOSE_FAILURE,
	.report = &report,
	.id = "REPORT",
	.to = "alice@example.test",
	.hostname = "mail.example.test",
	.origin = "example.test",
	.mail_name = "Posthaste",
	.now = 1000000100,
};

static const char *
head_of(const struct compose *c)
{
	static struct buf out;

	buf_fini(&out);
	buf_init(&out, 65536);
	compose_head(c, &out);
	assert_false(out.overflow);
	return buf_text(&out);
}

static void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is missing in:\n%s", part, text);
}

static void
says_what_rfc_3464_asks_for(void **state)
{
	const char *text = head_of(&failure);

	(void)state;
	assert_has(text,
	    "Content-Type: multipart/report; "
	    "report-type=delivery-status;");
	assert_has(text, "\r\nTo: alice@example.test\r\n");
	assert_has(text, "\r\nContent-Type: message/delivery-status\r\n");
	assert_has(text,
	    "\r\n\r\nOriginal-Envelope-Id: envelope-7\r\n"
	    "Reporting-MTA: dns; mail.example.test\r\n");
	assert_has(text, "\r\nArrival-Date: Sun, ");
	assert_has(text,
	    "\r\n\r\nOriginal-Recipient: "
	    "rfc822;asked@example.test\r\n"
	    "Final-Recipient: rfc822; nobody@example.test\r\n"
	    "Action: failed\r\nStatus: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.test\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 unknown\r\n");
	assert_has(text,
	    "<nobody@example.test> (expanded from "
	    "<alias@example.test>): host mx.test");
	assert_has(text, "Content-Type: text/rfc822-headers\r\n");
}

static void
whole_message_is_rfc822(void **state)
{
	struct compose c = failure;

	(void)state;
	c.whole = true;
	assert_has(head_of(&c), "Content-Type: message/rfc822\r\n");
}

static void
smtputf8_takes_the_global_forms(void **state)
{
	struct msg_report utf8 = report;
	struct msg_report_recipient r = recipient;
	struct compose c = failure;
	const char *text;

	(void)state;
	utf8.flags = QUEUE_SMTPUTF8;
	r.address = "j\303\266rg@example.test";
	utf8.recipients.items = &r;
	c.report = &utf8;
	text = head_of(&c);
	assert_has(text, "message/global-delivery-status\r\n");
	assert_has(text, "message/global-headers\r\n");
	assert_has(text, "Final-Recipient: utf-8; j\303\266rg@example.test");
	assert_has(text, "Content-Transfer-Encoding: 8bit\r\n");
	/* and without it no byte above 127 gets out */
	utf8.flags = 0;
	text = head_of(&c);
	assert_has(text, "Final-Recipient: rfc822; j??rg@example.test");
	for (const char *p = text; *p != '\0'; p++)
		assert_true((unsigned char)*p < 128);
}

static void
a_remote_cannot_add_lines(void **state)
{
	struct msg_report evil = report;
	struct msg_report_recipient r = recipient;
	struct compose c = failure;
	const char *text;

	(void)state;
	r.text = "no\r\nAction: delivered\r\n\r\n--REPORT";
	r.mta_reply = "550 x\nStatus: 2.0.0";
	evil.recipients.items = &r;
	evil.envid = "a\r\nBcc: x";
	c.report = &evil;
	text = head_of(&c);
	assert_null(strstr(text, "\nAction: delivered"));
	assert_null(strstr(text, "\nStatus: 2.0.0"));
	assert_null(strstr(text, "\nBcc"));
}

static void
a_warning_says_until_when(void **state)
{
	struct msg_report late = report;
	struct msg_report_recipient r = recipient;
	struct compose c = failure;

	(void)state;
	late.give_up = 1000432000000000;
	r.action = "delayed";
	r.mta_reply = "";
	late.recipients.items = &r;
	c.report = &late;
	c.kind = COMPOSE_DELAY;
	assert_has(head_of(&c), "THIS IS A WARNING ONLY");
	assert_has(head_of(&c), "\r\nAction: delayed\r\n");
	assert_has(head_of(&c), "\r\nWill-Retry-Until: ");
	assert_has(head_of(&c), "Diagnostic-Code: X-Posthaste; host mx.test");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_rfc_3464_asks_for),
		cmocka_unit_test(whole_message_is_rfc822),
		cmocka_unit_test(smtputf8_takes_the_global_forms),
		cmocka_unit_test(a_remote_cannot_add_lines),
		cmocka_unit_test(a_warning_says_until_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
