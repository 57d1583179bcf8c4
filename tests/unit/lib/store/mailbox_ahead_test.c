/* SPDX-License-Identifier: ISC */
/*
 * Messages that are read ahead: some are left out later, and what was known of
 * them is forgotten meanwhile.
 */
#include "tests/unit/lib/store/account.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "lib/store/mailbox_internal.h"

enum { MESSAGES = 300, BEGUN = 30, GOES_ON = 150, ROOM = 4096 };
enum { DATE = 1000000000 };

static const char text[] = "Subject: x\n\nbody\n";

static struct mail_account *account;
static struct mailbox *inbox;
static uint32_t uids[MESSAGES];

static void
begin(void)
{
	for (uint32_t n = 1; n <= MESSAGES; n++) {
		struct timespec times[2] = { { .tv_sec = DATE + n },
			{ .tv_sec = DATE + n } };
		char path[64], whole[80];

		snprintf(path, sizeof(path), "cur/%u.x,S=%zu:2,", 1000 + n,
		    sizeof(text) - 1);
		account_mail(path, text);
		snprintf(whole, sizeof(whole), "Maildir/%s", path);
		assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
		uids[n - 1] = n;
	}
	account = account_open();
	inbox = account_inbox(account);
}

static void
end(void)
{
	mailbox_close(&inbox);
	mail_account_close(&account);
}

/* One processor: nothing is read ahead. */
static void
end_without_threads(void)
{
	cpu_set_t where;

	if (inbox->ahead != NULL)
		return;
	assert_int_equal(sched_getaffinity(0, sizeof(where), &where), 0);
	assert_int_equal(CPU_COUNT(&where), 1);
	end();
	skip();
}

static size_t
one_byte(void *with, struct span read, char *to, size_t room)
{
	(void)with;
	assert_int_equal(read.n, sizeof(text) - 1);
	assert_true(room > 0);
	*to = 'x';
	return 1;
}

/* How many of these were read ahead. */
static unsigned int
fetch(uint32_t from, uint32_t to)
{
	unsigned int ahead = 0;
	char window[ROOM];

	for (uint32_t uid = from; uid < to; uid++) {
		struct store_blob blob;
		struct span read;

		mailbox_read_ahead(inbox, uids + uid - 1, MESSAGES - uid + 1,
		    ROOM);
		assert_int_equal(mailbox_fetch_start(inbox, uid, &blob, window,
				     sizeof(window), &read, &why),
		    MAIL_OK);
		ahead += mailbox_read_ahead_made(inbox).n == 1;
		if (blob.next > 0)
			assert_true(span_is(read, text));
		/* where it was read, not copied */
		if (mailbox_read_ahead_made(inbox).n == 1)
			assert_ptr_not_equal(read.p, window);
		store_blob_close(&blob);
	}
	return ahead;
}

static int64_t
date_of(uint32_t uid)
{
	struct mail_message message;

	assert_int_equal(mailbox_message(inbox, uid, WANT_DATE, &message, &why),
	    MAIL_OK);
	return message.internal_date;
}

/* As in an index that was made anew. */
static void
forget_dates(void)
{
	assert_int_equal(mailbox_begin(inbox, &why), MAIL_OK);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
		struct mail_index_message row;

		assert_int_equal(mailbox_row(inbox, uid, &row, &why), MAIL_OK);
		assert_true((row.have & HAVE_DATE) != 0);
		row.have &= ~(uint32_t)HAVE_DATE;
		row.date = 0;
		assert_true(mail_index_put(account->index,
		    inbox->folder->row.number, &row));
	}
	assert_int_equal(mailbox_commit(inbox, &why), MAIL_OK);
}

/* Those that were read ahead and are never asked for are forgotten. */
static void
goes_on_behind_those_left_out(void **state)
{
	const struct read_ahead_work work = { .run = one_byte, .least = 1 };

	(void)state;
	begin();
	mailbox_read_ahead_work(inbox, &work);
	assert_int_not_equal(0, fetch(1, BEGUN) + (inbox->ahead == NULL));
	end_without_threads();
	assert_int_not_equal(fetch(GOES_ON, MESSAGES), 0);
	end();
}

static void
a_date_that_was_not_read_is_not_noted(void **state)
{
	const struct read_ahead_work work = { .run = one_byte, .least = 1 };

	(void)state;
	begin();
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		assert_int_equal(date_of(uid), DATE + uid);
	account_flag(inbox, 1, MAIL_SEEN);
	mailbox_read_ahead_work(inbox, &work);
	fetch(1, BEGUN);
	end_without_threads();
	assert_true(read_ahead_waiting(inbox->ahead) > 0);
	forget_dates();
	fetch(BEGUN, MESSAGES);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		assert_int_equal(date_of(uid), DATE + uid);
	end();
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(goes_on_behind_those_left_out),
		IN_FOLDER(a_date_that_was_not_read_is_not_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
