/* SPDX-License-Identifier: ISC */
/*
 * Many messages without UIDs at once: they get them in one file instead of in
 * their names, and keep them whatever happens.
 */
#include "lib/store/mailbox.h"

#include "tests/unit/lib/store/account.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/log/log.h"
#include "lib/store/mail_index.h"
#include "lib/store/maildir_folder.h"
#include "lib/store/maildir_list.h"
#include "lib/store/uidl_format.h"

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from_at, const char *from, int to_at, const char *to);
int __wrap_renameat(int from_at, const char *from, int to_at, const char *to);
bool __real_mail_index_commit(struct mail_index *x, struct why *w);
bool __wrap_mail_index_commit(struct mail_index *x, struct why *w);

enum { COUNT = 220, LAST = 3 * COUNT };

static unsigned int steps; /* until the process is killed; 0: never */
static unsigned int renames;
static bool fsync_fails;

static void
step(void)
{
	if (steps > 0 && --steps == 0)
		_exit(9);
}

int
__wrap_fsync(int fd)
{
	step();
	errno = EIO;
	return fsync_fails ? -1 : __real_fsync(fd);
}

int
__wrap_renameat(int from_at, const char *from, int to_at, const char *to)
{
	step();
	renames++;
	return __real_renameat(from_at, from, to_at, to);
}

bool
__wrap_mail_index_commit(struct mail_index *x, struct why *w)
{
	step();
	return __real_mail_index_commit(x, w);
}

/* Messages whose text is their number. */
static void
put(const char *form, int from, int to)
{
	char path[100], text[16];

	for (int i = from; i <= to; i++) {
		snprintf(path, sizeof(path), form, 100000 + i);
		snprintf(text, sizeof(text), "%d\n", i);
		account_mail(path, text);
	}
	/* longer than the clock's tick */
	usleep(20000);
}

struct table {
	uint32_t uid[LAST + 1]; /* by number; 0: not there */
	uint32_t messages, uidnext, uidvalidity;
};

static void
read_table(struct mailbox *m, struct table *t)
{
	struct mailbox_status status;
	struct uid_set all = { 0 };
	uint32_t uid = 0;

	memset(t, 0, sizeof(*t));
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	t->messages = status.messages;
	t->uidnext = status.uidnext;
	t->uidvalidity = status.uidvalidity;
	assert_int_equal(mailbox_uids(m, 0, &all, &why), MAIL_OK);
	assert_int_equal(uid_set_members(&all), t->messages);
	while (uid_set_next(&all, &uid)) {
		struct store_blob blob;
		char text[16] = "";
		int n;

		assert_int_equal(mailbox_fetch(m, uid, &blob, &why), MAIL_OK);
		assert_true(read(blob.fd, text, sizeof(text) - 1) > 0);
		close(blob.fd);
		n = atoi(text);
		assert_in_range(n, 1, LAST);
		assert_int_equal(t->uid[n], 0);
		t->uid[n] = uid;
	}
	uid_set_fini(&all);
}

static void
look(struct table *t)
{
	struct mail_account *a = account_open();
	struct mailbox *m = account_inbox(a);

	read_table(m, t);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
without_index(void)
{
	(void)unlink("Maildir/posthaste.index");
	(void)unlink("Maildir/posthaste.index-lock");
}

static void
same_uids(const struct table *before, const struct table *after)
{
	assert_int_equal(before->uidvalidity, after->uidvalidity);
	assert_true(after->uidnext >= before->uidnext);
	for (int i = 1; i <= LAST; i++)
		if (before->uid[i] != 0 && after->uid[i] != 0 &&
		    before->uid[i] != after->uid[i])
			fail_msg("%d: UID %u, then %u", i, before->uid[i],
			    after->uid[i]);
}

static struct table first, second;

static void
many_keep_their_names_and_uids(void **state)
{
	(void)state;
	put("cur/%d.a,S=5:2,S", 1, COUNT);
	renames = 0;
	look(&first);
	assert_true(renames < 10);
	assert_int_equal(first.messages, COUNT);
	for (uint32_t i = 1; i <= COUNT; i++)
		assert_int_equal(first.uid[i], i);
	assert_true(account_has("cur/100001.a,S=5:2,S"));
	look(&second);
	same_uids(&first, &second);
	without_index();
	look(&second);
	assert_int_equal(second.messages, COUNT);
	same_uids(&first, &second);
}

static void
flags_put_uids_into_names(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	uint64_t removed;

	(void)state;
	put("cur/%d.a:2,", 1, COUNT);
	look(&first);
	a = account_open();
	m = account_inbox(a);
	account_flag(m, first.uid[7], MAIL_SEEN);
	assert_true(account_has("cur/100007.a,U=7:2,S"));
	account_flag(m, first.uid[7], MAIL_FLAGGED);
	account_flag(m, first.uid[COUNT], MAIL_DELETED);
	removed = account_expunge(m);
	assert_int_equal(removed, 1);
	/* others rename, and one of the list goes */
	account_rename("cur/100008.a:2,", "cur/100008.a:2,R");
	assert_int_equal(unlink("Maildir/cur/100009.a:2,"), 0);
	read_table(m, &second);
	assert_int_equal(second.messages, COUNT - 2);
	same_uids(&first, &second);
	mailbox_close(&m);
	mail_account_close(&a);
	without_index();
	look(&second);
	assert_int_equal(second.messages, COUNT - 2);
	assert_int_equal(second.uid[COUNT], 0);
	assert_true(second.uidnext > first.uid[COUNT]);
	same_uids(&first, &second);
	/* its UIDs are of the folder as it was */
	put("new/%d.b", COUNT + 1, COUNT + 3);
	look(&first);
	assert_int_equal(first.messages, COUNT + 1);
	assert_true(first.uid[COUNT + 1] >= second.uidnext);
}

static void
those_that_come_later_are_added(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	put("cur/%d.a:2,", 1, COUNT);
	a = account_open();
	m = account_inbox(a);
	read_table(m, &first);
	put("cur/%d.b:2,F", COUNT + 1, 2 * COUNT);
	put("new/%d.c", 2 * COUNT + 1, 2 * COUNT + 5);
	renames = 0;
	read_table(m, &second);
	assert_true(renames < 20);
	assert_int_equal(second.messages, 2 * COUNT + 5);
	same_uids(&first, &second);
	mailbox_close(&m);
	mail_account_close(&a);
	without_index();
	look(&first);
	assert_int_equal(first.messages, 2 * COUNT + 5);
	same_uids(&second, &first);
}

/* A base name twice, UIDs from elsewhere, and Dovecot's own list. */
static void
what_a_list_cannot_tell_is_renamed(void **state)
{
	(void)state;
	put("cur/%d.a:2,", 1, COUNT);
	account_mail("cur/100005.a:2,S", "221\n");
	account_mail("cur/900.b,U=7:2,S", "222\n");
	account_mail("cur/901.c,U=7:2,S", "223\n");
	/* longer than the clock's tick */
	usleep(20000);
	look(&first);
	assert_int_equal(first.messages, COUNT + 3);
	for (int i = 0; i < 3; i++) {
		without_index();
		look(&second);
		assert_int_equal(second.messages, COUNT + 3);
		same_uids(&first, &second);
	}
	file_put("Maildir/dovecot-uidlist",
	    "3 V1000 N9000\n8000 :100010.a\n8001 :100011.a\n");
	/* longer than the clock's tick */
	usleep(20000);
	account_rename("cur/100012.a:2,", "cur/100012.a:2,S");
	look(&second);
	assert_int_equal(second.uidvalidity, 1000);
	assert_int_equal(second.uid[10], 8000);
	assert_int_equal(second.messages, COUNT + 3);
}

/* Killed at each step of the first opening. */
static void
whoever_is_killed_leaves_uids_that_last(void **state)
{
	unsigned int at;
	int status = 1;

	(void)state;
	for (at = 1; status != 0; at++) {
		pid_t child;

		assert_true(at < 60);
		assert_int_equal(system("rm -rf Maildir"), 0);
		put("cur/%d.a:2,", 1, COUNT);
		child = fork();
		if (child == 0) {
			steps = at;
			look(&first);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		/* of the one that was not killed, what it has told */
		look(&first);
		assert_int_equal(first.messages, COUNT);
		without_index();
		look(&second);
		assert_int_equal(second.messages, COUNT);
		same_uids(&first, &second);
	}
	assert_true(at > 6);
}

static void
a_list_that_cannot_be_written_gives_no_uids(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	put("cur/%d.a:2,", 1, COUNT);
	a = account_open();
	fsync_fails = true;
	assert_int_not_equal(mailbox_open(a, SPAN("INBOX"), &m, &why), MAIL_OK);
	fsync_fails = false;
	mail_account_close(&a);
	assert_false(account_has("posthaste-uids"));
	assert_false(account_has("posthaste-uids.tmp"));
	look(&first);
	assert_int_equal(first.messages, COUNT);
}

static void
a_list_of_another_folder_means_nothing(void **state)
{
	(void)state;
	put("cur/%d.a:2,", 1, COUNT);
	look(&first);
	without_index();
	file_put("Maildir/posthaste-folder", "garbage\n");
	look(&second);
	assert_true(second.uidvalidity > first.uidvalidity);
	assert_int_equal(second.messages, COUNT);
	without_index();
	look(&first);
	same_uids(&second, &first);
	/* and one that is not ours to begin with */
	without_index();
	file_put("Maildir/posthaste-uids", "3 V\n\n 1 :\n1 :100001.a\nx\n");
	look(&second);
	assert_int_equal(second.messages, COUNT);
	assert_true(second.uid[1] >= first.uidnext);
}

/* POP3's unique ids that are made of UIDs: of the list, and of names. */
static void
unique_ids_are_made_of_them(void **state)
{
	struct uidl_format format;
	struct store_ids ids = { .format = &format };
	struct maildir_list l;
	struct mail_account *a;
	struct mailbox *m;
	int directory;

	(void)state;
	put("cur/%d.a:2,", 1, COUNT);
	a = account_open();
	m = account_inbox(a);
	account_flag(m, 3, MAIL_SEEN);
	read_table(m, &first);
	mailbox_close(&m);
	mail_account_close(&a);
	assert_true(uidl_format_parse("%u-%v", &format, &why));
	ids.uidvalidity = first.uidvalidity;
	directory = open("Maildir", O_RDONLY | O_DIRECTORY);
	assert_int_equal(maildir_list_read(directory, directory, &ids, &l), 0);
	assert_int_equal(l.count, COUNT);
	for (size_t i = 0; i < l.count; i++) {
		char id[64];

		snprintf(id, sizeof(id), "%zu-%u", i + 1, first.uidvalidity);
		assert_string_equal(l.messages[i].unique, id);
	}
	maildir_list_free(&l);
	close(directory);
}

static int
quietly(void **state)
{
	log_threshold(LEVEL_PANIC);
	return folder_enter(state);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, quietly, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(many_keep_their_names_and_uids),
		IN_FOLDER(flags_put_uids_into_names),
		IN_FOLDER(those_that_come_later_are_added),
		IN_FOLDER(what_a_list_cannot_tell_is_renamed),
		IN_FOLDER(whoever_is_killed_leaves_uids_that_last),
		IN_FOLDER(a_list_that_cannot_be_written_gives_no_uids),
		IN_FOLDER(a_list_of_another_folder_means_nothing),
		IN_FOLDER(unique_ids_are_made_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
