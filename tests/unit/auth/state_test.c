/* SPDX-License-Identifier: ISC */
#include "auth/state.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/state_test.XXXXXX";

static void
test_tickets(void **state)
{
	struct state *one = state_open(folder), *two = state_open(folder);
	char ticket[TICKET_TEXT_MAX], other[TICKET_TEXT_MAX];
	struct state_login whose;

	(void)state;
	assert_true(state_issue(one, "pop3", "bob@example.test",
	    ", master=<eve>", 1000, ticket));
	assert_true(state_issue(one, "pop3", "bob@example.test",
	    ", master=<eve>", 1000, other));
	assert_string_not_equal(ticket, other);
	assert_int_equal(strlen(ticket), 48);
	/* another process redeems it, once */
	assert_true(state_redeem(two, "pop3", ticket, 1001, &whose));
	assert_string_equal(whose.user, "bob@example.test");
	assert_string_equal(whose.behind, ", master=<eve>");
	assert_false(state_redeem(two, "pop3", ticket, 1001, &whose));
	assert_false(state_redeem(one, "pop3", ticket, 1001, &whose));
	/* not answered: another process redeems it, for the same, once */
	assert_true(state_unredeem(two, "pop3", ticket, 1002, &whose));
	assert_false(state_redeem(one, "imap", ticket, 1003, &whose));
	assert_false(state_redeem(one, "pop3", ticket, 1003, &whose));
	assert_true(state_unredeem(two, "pop3", ticket, 1004, &whose));
	memset(&whose, 0, sizeof(whose));
	assert_true(state_redeem(one, "pop3", ticket, 1005, &whose));
	assert_string_equal(whose.behind, ", master=<eve>");
	assert_false(state_redeem(one, "pop3", ticket, 1005, &whose));
	/* for its service alone; and then it is gone */
	assert_false(state_redeem(two, "imap", other, 1001, &whose));
	assert_false(state_redeem(two, "pop3", other, 1001, &whose));
	/* in time */
	assert_true(state_issue(one, "pop3", "bob", "", 1000, ticket));
	assert_false(
	    state_redeem(one, "pop3", ticket, 1000 + TICKET_LIFE_MS, &whose));
	assert_false(state_redeem(one, "pop3", "", 1000, &whose));
	state_close(&one);
	state_close(&two);
}

static void
test_tickets_are_bounded(void **state)
{
	struct state *s = state_open(folder);
	char ticket[TICKET_TEXT_MAX];
	int64_t now = 1000000;
	int n = 0;

	(void)state;
	while (state_issue(s, "pop3", "bob", "", now, ticket))
		assert_true(n++ < 100000);
	assert_true(n >= 1000);
	assert_true(
	    state_issue(s, "pop3", "bob", "", now + TICKET_LIFE_MS, ticket));
	state_close(&s);
}

static void
test_failures(void **state)
{
	struct state *s = state_open(folder), *two = state_open(folder);
	int64_t now = 5000000;

	(void)state;
	assert_int_equal(state_failure(s, "192.0.2.1", "a", "", now, 5000),
	    500);
	assert_int_equal(state_failure(two, "192.0.2.1", "b", "", now, 5000),
	    1000);
	assert_int_equal(state_failure(s, "192.0.2.1", "c", "", now, 5000),
	    2000);
	/* the account's failures count from anywhere */
	assert_int_equal(state_failure(s, "192.0.2.2", "c", "", now, 5000),
	    1000);
	assert_int_equal(state_failure(s, "192.0.2.3", "d", "", now, 5000),
	    500);
	for (int i = 0; i < 20; i++)
		assert_true(
		    state_failure(s, "192.0.2.1", "e", "", now, 5000) <= 5000);
	assert_int_equal(state_failure(s, "192.0.2.1", "f", "", now, 5000),
	    5000);
	assert_int_equal(state_failure(s, "192.0.2.1", "g", "", now, 0), 0);
	/* a master's failures count, whoever's mailbox is tried */
	assert_int_equal(state_failure(s, "192.0.2.4", "l", "eve", now, 5000),
	    500);
	assert_int_equal(state_failure(s, "192.0.2.5", "m", "eve", now, 5000),
	    1000);
	assert_int_equal(state_failure(s, "192.0.2.6", "n", "eve", now, 5000),
	    2000);
	assert_int_equal(state_failure(s, "192.0.2.7", "o", "", now, 5000),
	    500);
	/* one IPv6 network is one source */
	state_failure(s, "2001:db8::1", "h", "", now, 5000);
	assert_int_equal(state_failure(s, "2001:db8::2", "i", "", now, 5000),
	    1000);
	assert_int_equal(state_failure(s, "2001:db8:0:1::2", "j", "", now,
			     5000),
	    500);
	/* forgotten after ten quiet minutes */
	assert_int_equal(state_failure(s, "192.0.2.1", "k", "", now + 700000,
			     5000),
	    500);
	state_close(&s);
	state_close(&two);
}

/* Whichever process asks. */
static void
test_questions(void **state)
{
	struct state *one = state_open(folder), *two = state_open(folder);
	const struct state_limits few = { 3, 2, 2000 }, more = { 4, 4, 3000 };
	uint64_t first, number;
	unsigned int n;

	(void)state;
	assert_int_equal(state_ask(one, "a", 1000, &few, &first, &n),
	    STATE_ROOM);
	assert_int_equal(state_ask(two, "a", 1000, &few, &number, &n),
	    STATE_ROOM);
	assert_int_equal(state_ask(one, "a", 1000, &few, &number, &n),
	    STATE_FULL_OF_SOURCE);
	assert_int_equal(n, 2);
	assert_int_equal(state_ask(two, "b", 1000, &few, &number, &n),
	    STATE_ROOM);
	assert_int_equal(state_ask(one, "c", 1000, &few, &number, &n),
	    STATE_FULL);
	assert_int_equal(n, 3);
	state_answered(two, first);
	state_answered(two, first);
	assert_int_equal(state_ask(two, "a", 1000, &few, &number, &n),
	    STATE_ROOM);
	/* those who asked were killed */
	for (int i = 0; i < 4; i++)
		assert_int_equal(state_ask(two, "a", 2000, &more, &number, &n),
		    STATE_ROOM);
	assert_int_equal(state_ask(one, "a", 2000, &more, &number, &n),
	    STATE_FULL);
	/* and one that comes back frees nobody else's place */
	state_answered(one, first);
	assert_int_equal(state_ask(one, "a", 2000, &more, &number, &n),
	    STATE_FULL);
	state_close(&one);
	state_close(&two);
}

static void
test_damaged_file_is_begun_anew(void **state)
{
	char path[100], ticket[TICKET_TEXT_MAX];
	struct state_login whose;
	struct state *s;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/auth_state", folder);
	f = fopen(path, "w");
	fputs("not a state file", f);
	fclose(f);
	s = state_open(folder);
	assert_true(state_issue(s, "pop3", "bob", "", 1, ticket));
	assert_true(state_redeem(s, "pop3", ticket, 2, &whose));
	state_close(&s);
	unlink(path);
}

/* What a process that was taken over makes of all words of that value. */
static void
overwrite(int64_t from, int64_t to)
{
	char path[100];
	int64_t word;
	FILE *f;

	snprintf(path, sizeof(path), "%s/auth_state", folder);
	f = fopen(path, "r+");
	assert_non_null(f);
	while (fread(&word, sizeof(word), 1, f) == 1) {
		if (word != from)
			continue;
		fseek(f, -(long)sizeof(word), SEEK_CUR);
		assert_int_equal(fwrite(&to, sizeof(to), 1, f), 1);
		fseek(f, 0, SEEK_CUR);
	}
	fclose(f);
}

static void
test_failures_of_no_time(void **state)
{
	struct state *s = state_open(folder);
	int64_t now = 7000000;

	(void)state;
	for (int i = 0; i < 6; i++)
		(void)state_failure(s, "192.0.2.9", "z", "", now, 5000);
	overwrite(now, INT64_MIN);
	assert_int_equal(state_failure(s, "192.0.2.9", "z", "", now, 5000),
	    500);
	/* nor does a count begin anew behind the last there is */
	overwrite(1, -1);
	assert_int_equal(state_failure(s, "192.0.2.9", "z", "", now, 5000),
	    5000);
	assert_int_equal(state_failure(s, "192.0.2.9", "z", "", now, 5000),
	    5000);
	state_close(&s);
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
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
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_tickets_are_bounded),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_failures_of_no_time),
		cmocka_unit_test(test_damaged_file_is_begun_anew),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
