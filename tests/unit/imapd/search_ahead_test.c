/* SPDX-License-Identifier: ISC */
/*
 * Two threads look through messages at the same time, each with its reader,
 * and find what one alone finds; what they would have to share is left alone.
 */
#include "imapd/search_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "imapd/search_header.h"

enum { MESSAGES = 300, MADE_MAX = 8192 };

/* In place of imapd/search_message.c: all is in memory. */
int64_t
search_message_more(struct search_message *s, void *to, size_t n)
{
	(void)s, (void)to, (void)n;
	return 0;
}

struct span
search_message_text(struct search_message *s)
{
	return s->text;
}

static bool
go_on(void *with)
{
	(void)with;
	return true;
}

static char messages[MESSAGES][1024];
static struct search_program *program;

static struct span
message(size_t n)
{
	return (struct span){ messages[n], strlen(messages[n]) };
}

static int
make_messages(void **state)
{
	const struct imap_arg args[] = {
		{ .type = IMAP_ATOM, .text = SPAN("TEXT") },
		{ .type = IMAP_LITERAL, .text = SPAN("j\xc3\xb6rg 7") },
		{ .type = IMAP_ATOM, .text = SPAN("BODY") },
		{ .type = IMAP_LITERAL, .text = SPAN("line 1 of") },
		{ .type = IMAP_END },
	};
	const char *error;

	(void)state;
	/* letters of two bytes: what folding learns is for both threads */
	for (int n = 0; n < MESSAGES; n++)
		snprintf(messages[n], sizeof(messages[n]),
		    "From: =?%s?q?J=C3=B6rg_%d?= <a@example.net>\n"
		    "Subject: =?UTF-8?q?=C3=%02X=D0=%02X=CE=%02X?= %d\n\n"
		    "This is line %d\nof it.\n",
		    n % 10 == 9 ? "iso-8859-15" : "utf-8", n, 0xa0 + n % 31,
		    0x90 + n % 47, 0x91 + n % 43, n, n % 20);
	return search_parse(args, 4, SPAN(""), 0, &program, &error) !=
	    SEARCH_OK;
}

static int
free_messages(void **state)
{
	(void)state;
	search_program_free(&program);
	return 0;
}

struct made {
	struct search_reader *reader;
	size_t step, n[MESSAGES];
	char text[MESSAGES][MADE_MAX];
};

static void *
look_at_all(void *with)
{
	struct made *m = with;

	for (size_t i = 0; i < MESSAGES; i++) {
		size_t k = i * m->step % MESSAGES;

		m->n[k] = search_reader_ahead(m->reader, message(k), m->text[k],
		    MADE_MAX);
	}
	return NULL;
}

static void
is_what_one_finds(const struct made *m, struct search_reader *alone, size_t k)
{
	struct buf signature = BUF_INIT(CACHE_VALUE_MAX);
	struct search_message whole = { .text = message(k),
		.ended = true,
		.blob.length = (int64_t)message(k).n };
	signed char answers[2] = { SEARCH_UNKNOWN, SEARCH_UNKNOWN };
	struct why why;

	if (k % 10 == 9) {
		assert_int_equal(m->n[k], 0);
		return;
	}
	assert_int_equal(search_reader_read(alone, &whole, answers, true,
			     &signature, go_on, NULL, &why),
	    MAIL_OK);
	assert_int_equal(m->n[k], 2 + signature.n);
	assert_memory_equal(m->text[k], answers, 2);
	assert_memory_equal(m->text[k] + 2, signature.p, signature.n);
	assert_int_equal(answers[0],
	    k == 7 || k / 10 == 7 ? SEARCH_YES : SEARCH_NO);
	assert_int_equal(answers[1], k % 20 == 1 ? SEARCH_YES : SEARCH_NO);
	buf_fini(&signature);
}

static void
test_two_threads(void **state)
{
	struct search_reader *alone = search_reader_new(program);
	struct made *made = calloc(2, sizeof(*made));
	pthread_t thread;

	(void)state;
	assert_non_null(made);
	for (size_t i = 0; i < 2; i++) {
		made[i].reader = search_reader_new(program);
		made[i].step = i == 0 ? 1 : 7;
	}
	assert_int_equal(pthread_create(&thread, NULL, look_at_all, &made[1]),
	    0);
	look_at_all(&made[0]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < MESSAGES; k++)
			is_what_one_finds(&made[i], alone, k);
		search_reader_free(&made[i].reader);
	}
	search_reader_free(&alone);
	free(made);
}

/* What is looked at as it is says what the long way says, or nothing. */
static void
test_headers(void **state)
{
	static const struct {
		struct span message;
		bool taken;
	} rows[] = {
		{ SPAN(""), true },
		{ SPAN("Subject: j"), true },
		{ SPAN("Subject:\n\nline 1 of it"), true },
		{ SPAN("Subject:  a\n \tline 1 of \nTo : b\t\n\nc\n"), true },
		{ SPAN("A: b\r\n c\r\nD: e\r\n\r\nline 1\r\nof\rit\r"), true },
		{ SPAN("A: b=\nC: ?d\nE: =\n ?f=\n\ng"), true },
		{ SPAN("A: b\nthis is no field\nC: d\n"), true },
		{ SPAN("A: =?UTF-8?b?SsO2cmcgNyA4?=\n\n"), true },
		{ SPAN("A: x =?Utf-8?q?J=C3=B6?=\n =?utf-8?q?rg_7?=\n\n"),
		    true },
		{ SPAN("A: =?utf-8?q?J=C3=B6?= =?iso-8859-1?q?g?=\n"), false },
		{ SPAN("A: =?iso-8859-1?q?J=F6rg_7?=\n\n"), false },
		/* of which the end looks like the start of one */
		{ SPAN("A: =?utf-8?b?SsO2cmcgNw==?=\n\n"), true },
		{ SPAN("A: =?utf-8?Q?a=?= b =?utf-8?B?SsO2cg==?=\n\n"), true },
		{ SPAN("A: =?utf-8?b?SsO2cg==?==?iso-8859-1?q?J=F6?=\n\n"),
		    false },
		{ SPAN("A: =?utf-8?b?SsO2\n cg==?=\n\n"), false },
		{ SPAN("A: =?utf-8?b?abc\nB: =?=?q?x?=\n\n"), false },
		{ SPAN("A: =?utf-8?x?ab=?=\n\n"), false },
		{ SPAN("A=?utf-8?Q?x:=?=?iso-8859-1?q?J=F6?=\n\n"), false },
		/* "=?" that begins no word, which is not looked at so closely
		 */
		{ SPAN("A: a=?b\n\n"), false },
		{ SPAN("A=?b: c\n\n"), false },
		{ SPAN("A: J\xc3\xb6rg 7\n\n"), false },
		{ SPAN("A: a\0b\n\n"), false },
		{ SPAN("A: a\nB: c\n\nline \xff of"), false },
		{ SPAN("A: a\nB: c\n\nline 1\0of"), false },
	};
	struct search_reader *ahead = search_reader_new(program);
	struct search_reader *alone = search_reader_new(program);
	struct buf signature = BUF_INIT(CACHE_VALUE_MAX);
	char made[MADE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		signed char answers[2] = { SEARCH_UNKNOWN, SEARCH_UNKNOWN };
		/* not known to be all there is: walked through */
		struct search_message whole = { .text = rows[i].message,
			.blob.length = (int64_t)rows[i].message.n };
		struct why why;
		size_t n;

		n = search_reader_ahead(ahead, rows[i].message, made, MADE_MAX);
		assert_int_equal(n > 0, rows[i].taken);
		if (n == 0)
			continue;
		assert_int_equal(search_reader_read(alone, &whole, answers,
				     true, &signature, go_on, NULL, &why),
		    MAIL_OK);
		assert_int_equal(n, 2 + signature.n);
		assert_memory_equal(made, answers, 2);
		assert_memory_equal(made + 2, signature.p, signature.n);
	}
	search_reader_free(&ahead);
	search_reader_free(&alone);
	buf_fini(&signature);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_threads),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, make_messages, free_messages);
}
