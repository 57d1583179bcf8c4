/* SPDX-License-Identifier: ISC */
/* What a checker answers, and how long that is believed. */
#include "auth/checker.h"
#include "auth/token_cache.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *text;
	enum verdict verdict; /* LATER: it is no answer */
	const char *user;
	uint64_t expires;
	const char *status;
	const char *reason;
} rows[] = {
	{ "user=bob@example.test\n", OK, "bob@example.test", 0, "", "" },
	{ "user=bob\nexpires=1790000000\n", OK, "bob", 1790000000, "", "" },
	{ "expires=1\n\nuser= bob \n", OK, "bob", 1, "", "" },
	{ "user=bob\r\n", OK, "bob", 0, "", "" },
	{ "error=invalid_token\n", NEVER, "", 0, "invalid_token", "" },
	{ "error=insufficient_scope\nreason=not for mail\n", NEVER, "", 0,
	    "insufficient_scope", "not for mail" },
	{ "", LATER, "", 0, "", "" },
	{ "\n", LATER, "", 0, "", "" },
	{ "user=bob", LATER, "", 0, "", "" },
	{ "user=\n", LATER, "", 0, "", "" },
	{ "user=bob\nuser=bob\n", LATER, "", 0, "", "" },
	{ "user=bob\nerror=invalid_token\n", LATER, "", 0, "", "" },
	{ "error=invalid_token\nexpires=1\n", LATER, "", 0, "", "" },
	{ "error=Invalid Token\n", LATER, "", 0, "", "" },
	{ "expires=1\n", LATER, "", 0, "", "" },
	{ "user=bob\nexpires=soon\n", LATER, "", 0, "", "" },
	{ "user=bob\nexpires=-1\n", LATER, "", 0, "", "" },
	{ "user=bob\nexpires=1\nexpires=2\n", LATER, "", 0, "", "" },
	{ "user=bob\nadmin=yes\n", LATER, "", 0, "", "" },
	{ "user=b\tb\n", LATER, "", 0, "", "" },
	{ "ok\n", LATER, "", 0, "", "" },
};

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct checker_answer a = { .verdict = LATER };
		bool is = checker_parse(span_of(rows[i].text), &a);

		if (is != (rows[i].verdict != LATER))
			fail_msg("row %zu: \"%s\"", i, rows[i].text);
		assert_int_equal(a.verdict, rows[i].verdict);
		assert_string_equal(a.user, rows[i].user);
		assert_int_equal(a.expires, rows[i].expires);
		assert_string_equal(a.status, rows[i].status);
		assert_string_equal(a.text, rows[i].reason);
	}
}

static void
test_limits_and_nul(void **state)
{
	struct checker_answer a;
	char text[400];

	(void)state;
	assert_false(checker_parse(SPAN("user=bob\0x\n"), &a));
	for (int n = 255; n <= 256; n++) {
		snprintf(text, sizeof(text), "user=%0*d\n", n, 0);
		assert_int_equal(checker_parse(span_of(text), &a), n == 255);
	}
}

static void
test_keys_know_all_that_counts(void **state)
{
	static const char *const words[][4] = {
		{ "imap", "192.0.2.1", "bob", "x" },
		{ "pop3", "192.0.2.1", "bob", "x" },
		{ "imap", "192.0.2.2", "bob", "x" },
		{ "imap", "192.0.2.1", "eve", "x" },
		{ "imap", "192.0.2.1", "", "x" },
		{ "imap", "192.0.2.1", "bob", "y" },
		{ "imap", "192.0.2.1", "bo", "bx" },
		{ "imap", "192.0.2.1b", "ob", "x" },
	};
	enum { COUNT = sizeof(words) / sizeof(words[0]) };
	unsigned char keys[COUNT][TOKEN_KEY];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		token_cache_key(words[i][0], words[i][1], words[i][2],
		    span_of(words[i][3]), keys[i]);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(keys[i], keys[k], TOKEN_KEY);
	}
}

static void
test_kept_until_their_end(void **state)
{
	unsigned char key[TOKEN_KEY] = { 7, 7, 1 };
	char user[TOKEN_USER_MAX];

	(void)state;
	assert_false(token_cache_find(key, 1000, user));
	token_cache_add(key, "bob", 1000, 1060);
	assert_true(token_cache_find(key, 1059, user));
	assert_string_equal(user, "bob");
	assert_false(token_cache_find(key, 1060, user));
	/* no time at all: not kept */
	key[2] = 2;
	token_cache_add(key, "bob", 1000, 1000);
	assert_false(token_cache_find(key, 999, user));
	/* too many: the one that ends first goes, and nobody is mixed up */
	for (unsigned char i = 0; i < 9; i++) {
		char name[8];

		key[2] = (unsigned char)(10 + i);
		snprintf(name, sizeof(name), "u%d", i);
		token_cache_add(key, name, 2000, 3000 + i);
	}
	key[2] = 10;
	assert_false(token_cache_find(key, 2000, user));
	key[2] = 11;
	assert_true(token_cache_find(key, 2000, user));
	assert_string_equal(user, "u1");
	key[2] = 18;
	assert_true(token_cache_find(key, 2000, user));
	assert_string_equal(user, "u8");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_limits_and_nul),
		cmocka_unit_test(test_keys_know_all_that_counts),
		cmocka_unit_test(test_kept_until_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
