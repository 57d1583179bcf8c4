/* SPDX-License-Identifier: ISC */
#include "auth/app_passwords.h"
#include "auth/app_use.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"

static char folder[] = "/tmp/app_password_test.XXXXXX";
static char path[64];

/* sha256("abcdefghijkmnpqrstuv") */
static const char digest_text[] =
    "4ee63df5015fca75204772a829715ba439cc88c998df8a95cd840c5702900a89";

static void
test_made_ones_are_strong_and_differ(void **state)
{
	char one[APP_PASSWORD_TEXT_MAX], two[APP_PASSWORD_TEXT_MAX];
	unsigned char a[APP_PASSWORD_DIGEST], b[APP_PASSWORD_DIGEST];
	unsigned int seen[128] = { 0 }, letters = 0;

	(void)state;
	assert_true(app_password_make(one, a));
	assert_true(app_password_make(two, b));
	assert_string_not_equal(one, two);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(strlen(one), 23);
	for (int i = 0; i < 1000; i++) {
		assert_true(app_password_make(one, a));
		for (const char *c = one; *c != '\0'; c++)
			seen[(unsigned char)*c]++;
	}
	/* 32 letters, evenly: five bits each, twenty of them */
	for (size_t i = 0; i < 128; i++)
		if (i != '-' && seen[i] > 0) {
			letters++;
			assert_in_range(seen[i], 450, 800);
		}
	assert_int_equal(letters, 32);
	assert_int_equal(seen['-'], 3000);
	assert_int_equal(seen['l'] + seen['o'] + seen['0'] + seen['1'], 0);
}

static void
test_typing(void **state)
{
	unsigned char right[APP_PASSWORD_DIGEST], other[APP_PASSWORD_DIGEST];
	static const char *const wrong[] = { "", "abcde-fghij-kmnpq-rstu",
		"abcde-fghij-kmnpq-rstuvw", "abcde-fghij-kmnpq-rstu1",
		"abcde_fghij-kmnpq-rstuv", "secret" };
	static const char *const same[] = { "abcdefghijkmnpqrstuv",
		"ABCDE-FGHIJ-KMNPQ-RSTUV", " abcde fghij kmnpq rstuv " };

	(void)state;
	assert_true(
	    app_password_digest(SPAN("abcde-fghij-kmnpq-rstuv"), right));
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(app_password_digest(span_of(same[i]), other));
		assert_memory_equal(right, other, sizeof(right));
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(app_password_digest(span_of(wrong[i]), other));
	assert_false(
	    app_password_digest(SPAN("abcde-fghij-kmnpq-rst\0v"), other));
}

static void
test_lines(void **state)
{
	static const struct {
		const char *before, *after; /* of the digest */
		const char *error; /* NULL: it is good */
	} rows[] = {
		{ "bob@example.test:", ":imap,pop3:1700000000:0:My phone",
		    NULL },
		{ "BOB:", ":smtp:1:2:x", NULL },
		{ "bob:", ":imap:1", "has too few fields" },
		{ "bob:", ":imap:1:0:", "has no label that can be used" },
		{ "bob:", ":imap:1:0:a:b", "has no label that can be used" },
		{ "bob:", ":imap:1:0:a\tb", "has no label that can be used" },
		{ "bob:", ":ftp:1:0:a",
		    "has protocols other than imap, pop3 and smtp" },
		{ "bob:", "::1:0:a",
		    "has protocols other than imap, pop3 and smtp" },
		{ "bob:", ":imap:-1:0:a",
		    "has a time that is no number of seconds" },
		{ "bob:0", ":imap:1:0:a",
		    "has no SHA-256 in its second field" },
		{ "../bob:", ":imap:1:0:a",
		    "has a name that nobody can log in with" },
	};
	struct arena *a = arena_new();
	struct app_password p;
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *line = arena_printf(a, "%s%s%s", rows[i].before,
		    digest_text, rows[i].after);
		bool good = app_password_parse(span_of(line), a, &p, &error);

		assert_int_equal(good, rows[i].error == NULL);
		if (rows[i].error != NULL)
			assert_string_equal(error, rows[i].error);
	}
	assert_false(app_password_parse(SPAN("# comment"), a, &p, &error));
	assert_null(error);
	arena_free(&a);
}

static void
test_printed_is_read(void **state)
{
	struct arena *a = arena_new();
	struct app_password in = { "bob@example.test", "My phone", { 0 },
		APP_IMAP | APP_SMTP, 1700000000, 1800000000 };
	struct app_password out;
	struct buf text = BUF_INIT(1000);
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof(in.digest); i++)
		in.digest[i] = (unsigned char)(i * 37);
	app_password_print(&in, &text);
	assert_true(app_password_parse(span_take(buf_span(&text), text.n - 1),
	    a, &out, &error));
	assert_string_equal(in.user, out.user);
	assert_string_equal(in.label, out.label);
	assert_memory_equal(in.digest, out.digest, sizeof(in.digest));
	assert_int_equal(in.protocols, out.protocols);
	assert_int_equal(in.created, out.created);
	assert_int_equal(in.expires, out.expires);
	buf_fini(&text);
	arena_free(&a);
}

static void
write_file(const struct app_password *list, size_t n)
{
	struct buf text = BUF_INIT(10000);
	char new[80];
	FILE *f;

	for (size_t i = 0; i < n; i++)
		app_password_print(&list[i], &text);
	snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "w");
	fwrite(text.p, 1, text.n, f);
	fclose(f);
	rename(new, path);
	buf_fini(&text);
}

static void
test_file(void **state)
{
	char secret[2][APP_PASSWORD_TEXT_MAX];
	struct app_password list[2] = {
		{ "bob", "phone", { 0 }, APP_IMAP, 1, 0 },
		{ "bob", "old", { 0 }, APP_ALL, 1, 1000 },
	};
	struct app_passwords *a = app_passwords_new(path, false);
	const struct app_password *which;
	bool known;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_true(app_password_make(secret[i], list[i].digest));
	/* no file: nobody has one */
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret[0]),
			     APP_IMAP, 500, &which),
	    APP_PASSWORD_NONE);
	write_file(list, 2);
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret[0]),
			     APP_IMAP, 500, &which),
	    APP_PASSWORD_RIGHT);
	assert_string_equal(which->label, "phone");
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret[0]),
			     APP_SMTP, 500, &which),
	    APP_PASSWORD_NOT_HERE);
	/* somebody else's */
	assert_int_equal(app_passwords_check(a, "eve", span_of(secret[0]),
			     APP_IMAP, 500, &which),
	    APP_PASSWORD_NONE);
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret[1]),
			     APP_POP3, 999, &which),
	    APP_PASSWORD_RIGHT);
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret[1]),
			     APP_POP3, 1000, &which),
	    APP_PASSWORD_NOT_HERE);
	assert_true(app_passwords_any(a, "bob", &known));
	assert_true(known);
	assert_false(app_passwords_any(a, "eve", &known));
	assert_true(known);
	/* revoked: at once */
	write_file(list + 1, 1);
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret[0]),
			     APP_IMAP, 500, &which),
	    APP_PASSWORD_NONE);
	assert_int_equal(unlink(path), 0);
	assert_false(app_passwords_any(a, "bob", &known));
	assert_true(known);
	/* a file that cannot be read is not one without app passwords */
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret[0]),
			     APP_IMAP, 500, &which),
	    APP_PASSWORD_LATER);
	assert_false(app_passwords_any(a, "bob", &known));
	assert_false(known);
	assert_int_equal(app_passwords_check(a, "bob", SPAN("secret"), APP_IMAP,
			     500, &which),
	    APP_PASSWORD_NONE);
	unlink(path);
	app_passwords_free(&a);
}

static void
put_text(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_not_equal(fputs(text, f), EOF);
	assert_int_equal(fclose(f), 0);
}

/* Where it would let other passwords in, "gone" is not "none". */
static void
test_strict_file_does_not_vanish(void **state)
{
	struct app_password list[1] = {
		{ "bob", "phone", { 0 }, APP_IMAP, 1, 0 },
	};
	struct app_passwords *a = app_passwords_new(path, true);
	char secret[APP_PASSWORD_TEXT_MAX];
	const struct app_password *which;
	bool known;

	(void)state;
	assert_true(app_password_make(secret, list[0].digest));
	/* not there yet: nobody knows whether there is one elsewhere */
	assert_false(app_passwords_any(a, "bob", &known));
	assert_false(known);
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret),
			     APP_IMAP, 500, &which),
	    APP_PASSWORD_LATER);
	write_file(list, 1);
	assert_true(app_passwords_any(a, "bob", &known));
	assert_int_equal(unlink(path), 0);
	for (int i = 0; i < 2; i++) {
		assert_false(app_passwords_any(a, "bob", &known));
		assert_false(known);
		assert_int_equal(app_passwords_check(a, "bob", span_of(secret),
				     APP_IMAP, 500, &which),
		    APP_PASSWORD_LATER);
	}
	write_file(list, 1);
	assert_int_equal(app_passwords_check(a, "bob", span_of(secret),
			     APP_IMAP, 500, &which),
	    APP_PASSWORD_RIGHT);
	put_text("");
	assert_false(app_passwords_any(a, "bob", &known));
	assert_false(known);
	/* the last one was revoked */
	put_text("# kept by postaccount(1)\n");
	assert_false(app_passwords_any(a, "bob", &known));
	assert_true(known);
	unlink(path);
	app_passwords_free(&a);
}

static void
test_holder_of_a_bad_line(void **state)
{
	struct app_passwords *a = app_passwords_new(path, true);
	const struct app_password *which;
	bool known;

	(void)state;
	put_text("Bob:0:imap:1:0:phone\neve\n../mallory:0:imap:1:0:x\n");
	assert_true(app_passwords_any(a, "bob", &known));
	assert_true(app_passwords_any(a, "eve", &known));
	assert_false(app_passwords_any(a, "../mallory", &known));
	assert_false(app_passwords_any(a, "alice", &known));
	assert_true(known);
	assert_int_equal(app_passwords_check(a, "bob",
			     SPAN("abcde-fghij-kmnpq-rstuv"), APP_IMAP, 500,
			     &which),
	    APP_PASSWORD_NONE);
	unlink(path);
	app_passwords_free(&a);
}

static void
test_last_use(void **state)
{
	unsigned char one[APP_PASSWORD_DIGEST] = { 1, 2, 3 };
	unsigned char two[APP_PASSWORD_DIGEST] = { 1, 2, 4 };
	struct app_use *u = app_use_open(folder);
	struct app_use *other = app_use_open(folder);
	struct app_used used;
	char file[64];

	(void)state;
	assert_non_null(u);
	assert_false(app_use_find(folder, one, &used));
	app_use_note(u, one, "imap", "192.0.2.1", 1000);
	assert_true(app_use_find(folder, one, &used));
	assert_int_equal(used.when, 1000);
	assert_string_equal(used.protocol, "imap");
	assert_string_equal(used.client, "192.0.2.1");
	assert_false(app_use_find(folder, two, &used));
	/* once a minute, unless it is used from elsewhere */
	app_use_note(other, one, "imap", "192.0.2.1", 1059);
	assert_true(app_use_find(folder, one, &used));
	assert_int_equal(used.when, 1000);
	app_use_note(other, one, "imap", "192.0.2.2", 1059);
	assert_true(app_use_find(folder, one, &used));
	assert_int_equal(used.when, 1059);
	app_use_note(u, one, "imap", "192.0.2.2", 1119);
	assert_true(app_use_find(folder, one, &used));
	assert_int_equal(used.when, 1119);
	/* a time that was never, of a process that was taken over */
	app_use_note(u, one, "imap", "192.0.2.2", INT64_MIN);
	app_use_note(u, one, "imap", "192.0.2.2", 1120);
	assert_true(app_use_find(folder, one, &used));
	assert_int_equal(used.when, 1120);
	/* of too many with equal bits the oldest goes */
	for (unsigned char i = 0; i < 8; i++) {
		two[9] = i;
		app_use_note(u, two, "pop3", "::1", 2000 + i);
	}
	assert_false(app_use_find(folder, one, &used));
	assert_true(app_use_find(folder, two, &used));
	assert_int_equal(used.when, 2007);
	app_use_close(&u);
	app_use_close(&other);
	snprintf(file, sizeof(file), "%s/app_password_use", folder);
	/* damaged: begun anew */
	assert_int_equal(truncate(file, 100), 0);
	assert_false(app_use_find(folder, two, &used));
	unlink(file);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/app_passwords", folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_ones_are_strong_and_differ),
		cmocka_unit_test(test_typing),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_printed_is_read),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_strict_file_does_not_vanish),
		cmocka_unit_test(test_holder_of_a_bad_line),
		cmocka_unit_test(test_last_use),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
