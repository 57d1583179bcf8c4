/* SPDX-License-Identifier: ISC */
/* Whole sessions, as a client sees them, and what reaches cleanup. */
#include "smtpd/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "smtpd/scratch.h"
#include "tests/unit/smtpd/fake_services.h"

static const struct service *service;

/* Only the codes of the answers, each once, as "220 250 ..." */
static const char *
codes(const char *said)
{
	static char out[8192];
	size_t n = 0;

	for (const char *p = said; *p != '\0'; p = strchr(p, '\n') + 1) {
		if (p[3] == ' ')
			n += (size_t)snprintf(out + n, sizeof(out) - n,
			    "%s%.3s", n ? " " : "", p);
		if (strchr(p, '\n') == NULL)
			break;
	}
	out[n] = '\0';
	return out;
}

static const char *
talk(const char *script)
{
	return fake_session(service, script, strlen(script), 0);
}

static void
expect_codes(const char *script, const char *want)
{
	const char *said = talk(script);

	if (strcmp(codes(said), want) != 0)
		print_error("%s\n---\n%s", script, said);
	assert_string_equal(codes(said), want);
}

static void
expect_says(const char *script, const char *want)
{
	const char *said = talk(script);

	if (strstr(said, want) == NULL)
		print_error("%s\n---\n%s", script, said);
	assert_non_null(strstr(said, want));
}

#define HELLO "EHLO client.test\r\n"
#define ENVELOPE "MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\n"
#define QUIT "QUIT\r\n"
#define MESSAGE "DATA\r\n"

/*
 * The default forbids to pipeline behind DATA and EHLO, as it must be; these
 * sessions speak all at once, so that setting is off in this test.
 */
static const char settings[] =
    "smtpd_forbid_unauth_pipelining = no\n"
    "smtpd_sasl_auth_enable = yes\n"
    "smtpd_sender_restrictions = check_sender_access fake:bad@x=REJECT\n"
    "smtpd_reject_footer = \\c; see $server_name\n"
    "smtpd_recipient_restrictions = reject_non_fqdn_recipient,\n"
    "  check_recipient_access fake:held@example.test=our_class,\n"
    "  check_recipient_access fake:warn@example.test=warn_if_reject,\n"
    "  warn_if_reject, check_recipient_access fake:soft@example.test=REJECT,\n"
    "  check_recipient_access fake:ring@example.test=ring\n"
    "smtpd_restriction_classes = our_class, ring, round\n"
    "ring = warn_if_reject ring, round, ring, ring, ring, ring\n"
    "round = warn_if_reject ring, ring, ring, ring, ring, round\n"
    "our_class = check_recipient_access fake:held@=450, reject\n";

static void
takes_a_message(void **state)
{
	(void)state;
	expect_codes(HELLO ENVELOPE MESSAGE
	    "Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n" QUIT,
	    "220 250 250 250 354 250 221");
	assert_int_equal(fake_last.count, 1);
	assert_string_equal(fake_last.sender, "a@b.test");
	assert_string_equal(buf_text(&fake_last.recipients),
	    "bob@example.test ");
	assert_string_equal(buf_text(&fake_last.content),
	    "Subject: x\r\n\r\nhello\r\n.dot\r\n");
	assert_non_null(
	    strstr(buf_text(&fake_last.trace), "Received: from client.test ("));
	assert_non_null(
	    strstr(buf_text(&fake_last.trace), "for <bob@example.test>; "));
}

/* Byte by byte, the same comes out. */
static void
splits_do_not_matter(void **state)
{
	static const char script[] =
	    HELLO ENVELOPE MESSAGE "a\r\n.\nb\n.\r\nc\r.\r\r\n..\r\n.\r\n" QUIT;

	(void)state;
	for (size_t step = 1; step < 8; step++) {
		const char *said =
		    fake_session(service, script, sizeof(script) - 1, step);

		assert_string_equal(codes(said), "220 250 250 250 354 250 221");
		assert_string_equal(buf_text(&fake_last.content),
		    "a\r\n\r\nb\r\n.\r\nc . \r\n.\r\n");
	}
}

struct row {
	const char *name;
	const char *script;
	const char *codes;
};

static const struct row rows[] = {
	{ "nothing", "", "220" },
	{ "unknown command", "FOO\r\n" QUIT, "220 500 221" },
	{ "empty line", "\r\n" QUIT, "220 500 221" },
	{ "MAIL before HELO", "MAIL FROM:<a@b>\r\n" QUIT, "220 250 221" },
	{ "RCPT first", HELLO "RCPT TO:<a@b>\r\n" QUIT, "220 250 503 221" },
	{ "DATA first", HELLO "DATA\r\n" QUIT, "220 250 503 221" },
	{ "DATA without recipients", HELLO "MAIL FROM:<a@b>\r\nDATA\r\n" QUIT,
	    "220 250 250 554 221" },
	{ "nested MAIL", HELLO "MAIL FROM:<a@b>\r\nMAIL FROM:<c@d>\r\n" QUIT,
	    "220 250 250 503 221" },
	{ "null sender", HELLO "MAIL FROM:<>\r\n" QUIT, "220 250 250 221" },
	{ "RSET", HELLO ENVELOPE "RSET\r\nDATA\r\n" QUIT,
	    "220 250 250 250 250 503 221" },
	{ "EHLO resets", HELLO ENVELOPE HELLO "DATA\r\n" QUIT,
	    "220 250 250 250 250 503 221" },
	{ "EHLO without name", "EHLO\r\n" QUIT, "220 501 221" },
	{ "HELO", "HELO x\r\n" ENVELOPE "DATA\r\n.\r\n" QUIT,
	    "220 250 250 250 354 250 221" },
	{ "RSET with words", "RSET x\r\n" QUIT, "220 501 221" },
	{ "NOOP, VRFY, HELP",
	    "NOOP x\r\nVRFY bob@example.test\r\n"
	    "HELP\r\nVRFY\r\nVRFY unknown@example.test\r\n" QUIT,
	    "220 250 252 214 501 550 221" },
	{ "bad sender",
	    HELLO "MAIL FROM:a b\r\nMAIL FROM <a@b>\r\n"
		  "MAIL TO:<a@b>\r\nMAIL\r\nMAIL FROM:<a\xff@b>\r\n" QUIT,
	    "220 250 555 501 501 501 500 221" },
	{ "options",
	    HELLO "MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME RET=HDRS "
		  "ENVID=x+2By AUTH=<>\r\nRCPT TO:<bob@example.test> NOTIFY="
		  "SUCCESS,DELAY ORCPT=rfc822;a@b\r\n" QUIT,
	    "220 250 250 250 221" },
	{ "bad options",
	    HELLO
	    "MAIL FROM:<a@b> SIZE=\r\nMAIL FROM:<a@b> "
	    "BODY=X\r\nMAIL FROM:<a@b> ENVID=+00\r\nMAIL FROM:<a@b> X=Y\r\n"
	    "MAIL FROM:<a@b> SIZE=99999999999999999999\r\n"
	    "MAIL FROM:<a@b> SIZE=10240001\r\n" QUIT,
	    "220 250 501 555 501 555 501 552 221" },
	{ "bad recipient options",
	    HELLO "MAIL FROM:<a@b>\r\n"
		  "RCPT TO:<bob@example.test> NOTIFY=NEVER,DELAY\r\n"
		  "RCPT TO:<bob@example.test> NOTIFY=\r\n"
		  "RCPT TO:<bob@example.test> ORCPT=x\r\n"
		  "RCPT TO:<>\r\nRCPT TO:<@>\r\nRCPT TO:<\"\">\r\n" QUIT,
	    "220 250 250 501 501 501 501 501 501 221" },
	{ "unknown user",
	    HELLO
	    "MAIL FROM:<a@b>\r\n"
	    "RCPT TO:<unknown@example.test>\r\nRCPT TO:<bob@example.test>\r\n"
	    "DATA\r\n.\r\n" QUIT,
	    "220 250 250 550 250 354 250 221" },
	{ "lookup is in trouble",
	    HELLO "MAIL FROM:<a@b>\r\n"
		  "RCPT TO:<later@example.test>\r\n" QUIT,
	    "220 250 250 451 221" },
	{ "relaying",
	    HELLO "MAIL FROM:<a@b>\r\n"
		  "RCPT TO:<x@elsewhere.test>\r\n" QUIT,
	    "220 250 250 454 221" },
	{ "SMTPUTF8",
	    HELLO "MAIL FROM:<\xc3\xa4@b>\r\nMAIL FROM:<\xc3\xa4@b>"
		  " SMTPUTF8\r\nRCPT TO:<\xc3\xb6@example.test>\r\n" QUIT,
	    "220 250 250 503 250 221" },
	{ "recipient in UTF-8 without SMTPUTF8",
	    HELLO
	    "MAIL FROM:<a@b>\r\n"
	    "RCPT TO:<\xc3\xb6@example.test>\r\nVRFY \xc3\xb6@example.test"
	    "\r\n" QUIT,
	    "220 250 250 250 252 221" },
	{ "no TLS here", HELLO "STARTTLS\r\n" QUIT, "220 250 502 221" },
	{ "AUTH PLAIN",
	    HELLO "AUTH PLAIN AGJvYgBwb3N0aGFzdGU=\r\n"
		  "AUTH PLAIN AGJvYgBwb3N0aGFzdGU=\r\n"
		  "MAIL FROM:<a@b>\r\nRCPT TO:<x@elsewhere.test>\r\n" QUIT,
	    "220 250 235 503 250 250 221" },
	{ "AUTH in two steps",
	    HELLO "AUTH PLAIN\r\nAGJvYgBwb3N0aGFzdGU=\r\n" QUIT,
	    "220 250 334 235 221" },
	{ "AUTH refused",
	    HELLO "AUTH PLAIN AGJvYgB4\r\nAUTH PLAIN\r\n*\r\n"
		  "AUTH PLAIN\r\n!!\r\nAUTH PLAIN =\r\nAUTH X\r\nAUTH\r\n"
		  "AUTH PLAIN !\r\n" QUIT,
	    "220 250 535 334 501 334 501 535 535 501 501 221" },
	{ "AUTH before EHLO and inside MAIL",
	    "AUTH PLAIN\r\n" HELLO "MAIL FROM:<a@b>\r\nAUTH PLAIN\r\n" QUIT,
	    "220 503 250 250 503 221" },
	{ "NUL and CR in a command", HELLO "NOOP a\rb\r\nNOOP\r\n" QUIT,
	    "220 250 500 250 221" },
	{ "HTTP", "GET / HTTP/1.0\r\n" QUIT, "220 221" },
	{ "header", "Subject: x\r\n" QUIT, "220 221" },
	{ "BDAT", HELLO ENVELOPE "BDAT 7 LAST\r\nhello\r\n" QUIT,
	    "220 250 250 250 250 221" },
	{ "BDAT in pieces",
	    HELLO ENVELOPE "BDAT 2\r\nheBDAT 0\r\n"
			   "BDAT 5\r\nllo\r\nBDAT 0 last\r\n" QUIT,
	    "220 250 250 250 250 250 250 250 221" },
	{ "BDAT too early is read and forgotten",
	    HELLO "BDAT 6 LAST\r\nRSET\r\n"
		  "MAIL FROM:<a@b>\r\n"
		  "BDAT 6\r\nQUIT\r\n" QUIT,
	    "220 250 503 250 554 221" },
	{ "BDAT without a count", HELLO ENVELOPE "BDAT\r\n" QUIT,
	    "220 250 250 250 521" },
	{ "BDAT with bad counts", HELLO ENVELOPE "BDAT -1 LAST\r\n",
	    "220 250 250 250 521" },
	{ "BDAT beyond all numbers",
	    HELLO ENVELOPE "BDAT 18446744073709551616\r\n" QUIT,
	    "220 250 250 250 521" },
	/* what is too much for 32 bits is not taken for two bytes */
	{ "BDAT of 2^32 + 2 bytes too early",
	    HELLO "BDAT 4294967298 LAST\r\nxx" QUIT, "220 250 503" },
	{ "BDAT of 2^32 + 2 bytes",
	    HELLO ENVELOPE "BDAT 4294967298 LAST\r\nxx" QUIT,
	    "220 250 250 250" },
	{ "BDAT of 2^31 + 2 bytes", HELLO ENVELOPE "BDAT 2147483650\r\nxx" QUIT,
	    "220 250 250 250" },
	{ "BDAT of 2^63 - 1 bytes",
	    HELLO ENVELOPE "BDAT 9223372036854775807\r\nxx" QUIT,
	    "220 250 250 250" },
	{ "BDAT of 2^63 bytes",
	    HELLO ENVELOPE "BDAT 9223372036854775808\r\nxx" QUIT,
	    "220 250 250 250 521" },
	{ "BDAT of 2^64 + 2 bytes",
	    HELLO ENVELOPE "BDAT 18446744073709551618\r\nxx" QUIT,
	    "220 250 250 250 521" },
	{ "BDAT with many digits",
	    HELLO ENVELOPE "BDAT 0000000000000000000000002 LAST\r\nxx" QUIT,
	    "220 250 250 250 521" },
	{ "BDAT in other digits", HELLO ENVELOPE "BDAT 0x2\r\nxx" QUIT,
	    "220 250 250 250 521" },
	{ "BDAT with a sign", HELLO ENVELOPE "BDAT +2\r\nxx" QUIT,
	    "220 250 250 250 521" },
	{ "BDAT with another word", HELLO "BDAT 1 FIRST\r\n" QUIT,
	    "220 250 503 521" },
	{ "between two BDAT",
	    HELLO ENVELOPE "BDAT 1\r\nx" ENVELOPE "DATA\r\n"
			   "AUTH PLAIN\r\nNOOP\r\nBDAT 0 LAST\r\nDATA\r\n" QUIT,
	    "220 250 250 250 250 503 503 503 503 250 250 503 221" },
	{ "RSET between two BDAT",
	    HELLO ENVELOPE "BDAT 1\r\nxRSET\r\n"
			   "BDAT 1 LAST\r\nx" ENVELOPE QUIT,
	    "220 250 250 250 250 250 503 250 250 221" },
	{ "EHLO between two BDAT",
	    HELLO ENVELOPE "BDAT 1\r\nx" HELLO ENVELOPE "DATA\r\n.\r\n" QUIT,
	    "220 250 250 250 250 250 250 250 354 250 221" },
	{ "access table",
	    HELLO "MAIL FROM:<bad@x>\r\n"
		  "RCPT TO:<bob@example.test>\r\n" QUIT,
	    "220 250 250 554 221" },
	{ "restriction class",
	    HELLO "MAIL FROM:<a@b>\r\n"
		  "RCPT TO:<held@example.test>\r\nRCPT "
		  "TO:<soft@example.test>\r\n" QUIT,
	    "220 250 250 450 250 221" },
	{ "class that leads back to itself",
	    HELLO "MAIL FROM:<a@b>\r\n"
		  "RCPT TO:<ring@example.test>\r\n" QUIT,
	    "220 250 250 451 221" },
	{ "action that is none",
	    HELLO "MAIL FROM:<a@b>\r\n"
		  "RCPT TO:<warn@example.test>\r\n" QUIT,
	    "220 250 250 250 221" },
	{ "not a whole domain",
	    HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<bob>\r\n" QUIT,
	    "220 250 250 454 221" },
};

static void
dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *said = talk(rows[i].script);

		if (strcmp(codes(said), rows[i].codes) != 0)
			print_error("%s:\n%s", rows[i].name, said);
		assert_string_equal(codes(said), rows[i].codes);
	}
}

static void
words_are_known(void **state)
{
	(void)state;
	expect_says("", "220 mx.test ESMTP Posthaste\r\n");
	expect_says(HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<unknown@example.test>"
			  "\r\n",
	    "550 5.1.1 <unknown@example.test>: Recipient address "
	    "rejected: User unknown in virtual mailbox table; see mx.test\r\n");
	expect_says(HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<x@y.test>\r\n",
	    "454 4.7.1 <x@y.test>: Relay access denied");
	expect_says(HELLO,
	    "250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n"
	    "250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n"
	    "250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n"
	    "250 CHUNKING\r\n");
}

/* Dots are dots, whatever they look like; line ends are repaired. */
static void
chunks_are_taken_as_they_are(void **state)
{
	(void)state;
	expect_codes(HELLO ENVELOPE "BDAT 3\r\n.\r\nBDAT 6\r\n..\r\n.\n"
				    "BDAT 5\r\nab\rcdBDAT 2 LAST\r\ne\r" QUIT,
	    "220 250 250 250 250 250 250 250 221");
	assert_string_equal(buf_text(&fake_last.content),
	    ".\r\n..\r\n.\r\nab cde \r\n");
	for (size_t step = 1; step < 5; step++) {
		static const char script[] =
		    HELLO ENVELOPE "BDAT 9\r\n"
				   "a\r\n.\r\nb\r\nBDAT 1 LAST\r\nc" QUIT;

		assert_string_equal(codes(fake_session(service, script,
					sizeof(script) - 1, step)),
		    "220 250 250 250 250 250 221");
		assert_string_equal(buf_text(&fake_last.content),
		    "a\r\n.\r\nb\r\nc\r\n");
	}
}

static void
chunks_fail_as_data_does(void **state)
{
	struct buf script = BUF_INIT(1 << 25);
	size_t count = fake_last.count;

	(void)state;
	buf_add_text(&script, HELLO ENVELOPE "BDAT 11000000\r\n");
	for (int i = 0; i < 11000000 / 10; i++)
		buf_add_text(&script, "01234567\r\n");
	buf_add_text(&script, "BDAT 2 LAST\r\n\r\n" QUIT);
	assert_string_equal(codes(fake_session(service, script.p, script.n, 0)),
	    "220 250 250 250 552 503 221");
	assert_int_equal(fake_last.count, count);
	fake_cleanup_dies = true;
	expect_codes(HELLO ENVELOPE "BDAT 3 LAST\r\na\r\n" QUIT,
	    "220 250 250 250 451 221");
	fake_cleanup_dies = false;
	buf_fini(&script);
}

static void
tiny_chunks_are_limited(void **state)
{
	struct buf script = BUF_INIT(1 << 20);

	(void)state;
	buf_add_text(&script, HELLO ENVELOPE);
	for (int i = 0; i < 10000; i++)
		buf_add_text(&script, "BDAT 1\r\nx");
	assert_non_null(strstr(talk(buf_text(&script)),
	    "421 4.7.0 mx.test Error: too many errors; see mx.test\r\n"));
	buf_fini(&script);
}

/* All that arrived together is asked in one question. */
static void
pipelined_recipients_are_one_question(void **state)
{
	struct buf script = BUF_INIT(65536);

	(void)state;
	buf_add_text(&script, HELLO "MAIL FROM:<a@b>\r\n");
	for (int i = 0; i < 50; i++)
		buf_printf(&script, "RCPT TO:<user%d@example.test>\r\n", i);
	buf_add_text(&script, QUIT);
	fake_resolve_questions = 0;
	talk(buf_text(&script));
	assert_int_equal(fake_resolve_questions, 1);
	buf_fini(&script);
}

static void
large_messages_go_by_a_file(void **state)
{
	struct buf script = BUF_INIT(1 << 24), want = BUF_INIT(1 << 24);
	const char *said;

	(void)state;
	buf_add_text(&script, HELLO ENVELOPE "DATA\r\n");
	for (int i = 0; i < 60000; i++) {
		buf_printf(&script, "line %d of this message\r\n", i);
		buf_printf(&want, "line %d of this message\r\n", i);
	}
	buf_add_text(&script, ".\r\n" QUIT);
	said = fake_session(service, script.p, script.n, 5000);
	assert_string_equal(codes(said), "220 250 250 250 354 250 221");
	assert_int_equal(fake_last.content.n, want.n);
	assert_memory_equal(fake_last.content.p, want.p, want.n);
	fake_cleanup_dies = true;
	said = fake_session(service, script.p, script.n, 5000);
	fake_cleanup_dies = false;
	assert_string_equal(codes(said), "220 250 250 250 354 451 221");
	assert_non_null(
	    strstr(said, "451 4.3.0 Error: queue file write error"));
	buf_fini(&script);
	buf_fini(&want);
}

static void
no_room_for_a_large_message(void **state)
{
	struct buf script = BUF_INIT(1 << 24);
	size_t count = fake_last.count;
	const char *said;

	(void)state;
	buf_add_text(&script, HELLO ENVELOPE "DATA\r\n");
	for (int i = 0; i < 60000; i++)
		buf_printf(&script, "line %d of this message\r\n", i);
	buf_add_text(&script, ".\r\n" ENVELOPE "DATA\r\nsmall\r\n.\r\n" QUIT);
	/* files that were used before would do */
	scratch_forget_all();
	fake_scratch_refused = true;
	said = fake_session(service, script.p, script.n, 0);
	fake_scratch_refused = false;
	assert_string_equal(codes(said),
	    "220 250 250 250 354 452 250 250 354 250 221");
	assert_non_null(strstr(said, "452 4.3.1 Insufficient system storage"));
	assert_int_equal(fake_last.count, count + 1);
	assert_int_equal(fake_last.content.n, strlen("small\r\n"));
	buf_fini(&script);
}

static void
too_large_messages_are_refused(void **state)
{
	struct buf script = BUF_INIT(1 << 25);
	size_t count = fake_last.count;
	char line[1000];
	const char *said;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	buf_add_text(&script, HELLO ENVELOPE "DATA\r\n");
	for (int i = 0; i < 10241; i++)
		buf_add(&script, line, sizeof(line));
	buf_add_text(&script, ".\r\n" QUIT);
	said = fake_session(service, script.p, script.n, 0);
	assert_string_equal(codes(said), "220 250 250 250 354 552 221");
	assert_int_equal(fake_last.count, count);
	buf_fini(&script);
}

static void
cleanup_has_the_last_word(void **state)
{
	(void)state;
	fake_cleanup_verdict = LATER;
	expect_codes(HELLO ENVELOPE "DATA\r\n.\r\n" ENVELOPE QUIT,
	    "220 250 250 250 354 452 250 250 221");
	fake_cleanup_verdict = NEVER;
	expect_codes(HELLO ENVELOPE "DATA\r\n.\r\nDATA\r\n" QUIT,
	    "220 250 250 250 354 554 503 221");
	fake_cleanup_verdict = OK;
}

/* A connection lost in the middle leaves nothing behind. */
static void
half_a_message_is_none(void **state)
{
	static const char script[] = HELLO ENVELOPE "DATA\r\nhello\r\n.\r\n";
	size_t count = fake_last.count;

	(void)state;
	for (size_t n = 0; n < sizeof(script) - 1; n++) {
		fake_session(service, script, n, 0);
		assert_int_equal(fake_last.count, count);
	}
	fake_session(service, script, sizeof(script) - 1, 0);
	assert_int_equal(fake_last.count, count + 1);
}

static void
errors_are_limited(void **state)
{
	struct buf script = BUF_INIT(1 << 20);
	const char *said;
	int count = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_add_text(&script, "FOO\r\n");
	said = talk(buf_text(&script));
	for (const char *p = said; (p = strstr(p, "500 ")) != NULL; p++)
		count++;
	assert_int_equal(count, 20);
	assert_non_null(strstr(said,
	    "421 4.7.0 mx.test Error: too many "
	    "errors; see mx.test\r\n"));
	buf_reset(&script);
	for (int i = 0; i < 1000; i++)
		buf_add_text(&script, "NOOP\r\n");
	assert_non_null(strstr(talk(buf_text(&script)),
	    "421 4.7.0 mx.test Error: too many errors; see mx.test\r\n"));
	buf_fini(&script);
}

static void
long_lines_end_the_session(void **state)
{
	struct buf script = BUF_INIT(1 << 21);
	const char *said;

	(void)state;
	for (int i = 0; i < 1 << 20; i++)
		buf_add_char(&script, 'x');
	said = talk(buf_text(&script));
	assert_string_equal(codes(said), "220 500");
	buf_reset(&script);
	buf_add_text(&script, "NOOP ");
	while (script.n < 2048)
		buf_add_char(&script, 'x');
	buf_add_text(&script, "\r\n" QUIT);
	said = talk(buf_text(&script));
	assert_string_equal(codes(said), "220 250 221");
	buf_fini(&script);
}

static void
lookup_down_is_try_again(void **state)
{
	(void)state;
	fake_lookup_down = true;
	expect_codes(HELLO ENVELOPE QUIT, "220 250 250 451 221");
	fake_lookup_down = false;
}

/* The same words in another order, for ever: no crash, one answer each. */
static void
random_sessions(void **state)
{
	static const char *const words[] = { "EHLO x\r\n", "HELO x\r\n",
		"MAIL FROM:<a@b>\r\n", "MAIL FROM:<>\r\n",
		"RCPT TO:<bob@example.test>\r\n",
		"RCPT TO:<unknown@example.test>\r\n", "DATA\r\n", "hello\r\n",
		".\r\n", "RSET\r\n", "NOOP\r\n", "QUIT\r\n", "AUTH PLAIN\r\n",
		"*\r\n", "VRFY \xc3\xa4\r\n", "STARTTLS\r\n",
		"AUTH PLAIN AGJvYgBwb3N0aGFzdGU=\r\n", "\r\n", "BDAT 1\r\n",
		"BDAT 9 LAST\r\n", "MAIL FROM:<a@b> SIZE=1\r\n",
		"RCPT TO:<x@y>\r\n" };
	uint32_t noise = 12345;

	(void)state;
	for (int i = 0; i < 400; i++) {
		struct buf script = BUF_INIT(65536);

		for (int k = 0; k < 30; k++) {
			noise = noise * 1664525 + 1013904223;
			buf_add_text(&script,
			    words[(noise >> 16) %
				(sizeof(words) / sizeof(words[0]))]);
		}
		noise = noise * 1664525 + 1013904223;
		script.n -= (noise >> 16) % 12;
		fake_session(service, script.p, script.n, i % 5 * 7);
		buf_fini(&script);
	}
}

static int
set_up(void **state)
{
	(void)state;
	log_threshold(LEVEL_ERROR);
	service = fake_service(settings);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_message),
		cmocka_unit_test(splits_do_not_matter),
		cmocka_unit_test(dialogues),
		cmocka_unit_test(words_are_known),
		cmocka_unit_test(chunks_are_taken_as_they_are),
		cmocka_unit_test(chunks_fail_as_data_does),
		cmocka_unit_test(tiny_chunks_are_limited),
		cmocka_unit_test(pipelined_recipients_are_one_question),
		cmocka_unit_test(large_messages_go_by_a_file),
		cmocka_unit_test(no_room_for_a_large_message),
		cmocka_unit_test(too_large_messages_are_refused),
		cmocka_unit_test(cleanup_has_the_last_word),
		cmocka_unit_test(half_a_message_is_none),
		cmocka_unit_test(errors_are_limited),
		cmocka_unit_test(long_lines_end_the_session),
		cmocka_unit_test(lookup_down_is_try_again),
		cmocka_unit_test(random_sessions),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
