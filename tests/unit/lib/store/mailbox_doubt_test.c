/* SPDX-License-Identifier: ISC */
/* Where what is on disk is less than what was told, or another's. */
#include "lib/store/mailbox.h"

#include "tests/unit/lib/store/account.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "lib/base/span.h"
#include "lib/store/mail_append.h"
#include "lib/store/mail_index.h"

int __real_fsync(int fd);
int __wrap_fsync(int fd);
bool __real_mail_index_commit(struct mail_index *x, struct why *w);
bool __wrap_mail_index_commit(struct mail_index *x, struct why *w);

static bool fsync_fails; /* of directories */
static unsigned int flushes; /* of directories, that did not */
static bool commit_fails;

int
__wrap_fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
		return __real_fsync(fd);
	if (!fsync_fails) {
		flushes++;
		return __real_fsync(fd);
	}
	errno = EIO;
	return -1;
}

bool
__wrap_mail_index_commit(struct mail_index *x, struct why *w)
{
	if (!commit_fails || !mail_index_outermost(x))
		return __real_mail_index_commit(x, w);
	mail_index_abort(x);
	why_set(w, "4.2.2", "No space left on device");
	return false;
}

static struct mailbox_status
status_of(struct mailbox *m)
{
	struct mailbox_status status;

	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	return status;
}

static uint32_t
append(struct mailbox *m)
{
	static const char text[] = "Subject: x\r\n\r\n";
	struct mail_append_message how = { .internal_date = INT64_MIN };
	struct mail_append *a = mail_append_new(m);
	struct uid_set uids = { 0 };
	uint32_t uidvalidity, uid;

	assert_int_equal(mail_append_begin(a, &how, sizeof(text) - 1, &why),
	    MAIL_OK);
	assert_int_equal(mail_append_write(a, text, sizeof(text) - 1, &why),
	    MAIL_OK);
	assert_int_equal(mail_append_commit(a, &uidvalidity, &uids, &why),
	    MAIL_OK);
	mail_append_free(&a);
	uid = uids.ranges[0].first;
	uid_set_fini(&uids);
	return uid;
}

static void
without_index(void)
{
	assert_int_equal(unlink("Maildir/posthaste.index"), 0);
	(void)unlink("Maildir/posthaste.index-lock");
}

/* ---- flushes ---- */

static void
a_failed_flush_is_remembered(void **state)
{
	struct mail_account *a;
	struct mail_message message;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
	account_flag(m, 1, MAIL_FLAGGED);
	fsync_fails = true;
	assert_int_equal(mail_account_settle(a, &why), MAIL_FAILED);
	fsync_fails = false;
	/* the next one may well succeed without what the first one lost */
	assert_int_equal(mail_account_settle(a, &why), MAIL_FAILED);
	assert_int_equal(mailbox_sync(m, &why), MAIL_FAILED);
	assert_true(mail_account_failed(a));
	mailbox_close(&m);
	mail_account_close(&a);
	/* what there is is found in the mail alone, and flushed */
	assert_true(account_has("posthaste.index.damaged"));
	a = account_open();
	m = account_inbox(a);
	flushes = 0;
	assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
	assert_true(flushes > 0);
	assert_int_equal(mailbox_message(m, 1, 0, &message, &why), MAIL_OK);
	assert_int_equal(message.flags, MAIL_FLAGGED);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
also_when_the_mailbox_was_closed_meanwhile(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	a = account_open();
	m = account_inbox(a);
	account_flag(m, 1, MAIL_FLAGGED);
	fsync_fails = true;
	mailbox_close(&m);
	fsync_fails = false;
	assert_int_equal(mail_account_settle(a, &why), MAIL_FAILED);
	mail_account_close(&a);
}

/* Flags are in the index, and nobody has flushed them. */
static void
flagged_by_one_that_is_killed(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct mail_account *a = account_open();
		struct mailbox *m = account_inbox(a);

		account_flag(m, 1, MAIL_FLAGGED);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
what_another_has_not_flushed_is_flushed_by_who_tells(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
	flagged_by_one_that_is_killed();
	flushes = 0;
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
	assert_int_equal(flushes, 1);
	assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
	assert_int_equal(flushes, 1);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
also_in_a_folder_that_is_only_looked_into(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	flagged_by_one_that_is_killed();
	a = account_open();
	flushes = 0;
	m = account_inbox(a);
	(void)status_of(m);
	mailbox_close(&m);
	assert_int_equal(flushes, 1);
	mail_account_close(&a);
}

static void
what_is_known_to_be_on_disk_is_not_flushed_again(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	for (int i = 0; i < 3; i++) {
		a = account_open();
		m = account_inbox(a);
		flushes = 0;
		if (i == 1)
			account_flag(m, 1, MAIL_FLAGGED);
		if (i == 2)
			(void)append(m); /* flushed with its own file */
		assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
		mailbox_close(&m);
		m = account_inbox(a);
		assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
		mailbox_close(&m);
		mail_account_close(&a);
		assert_int_equal(flushes, i == 2 ? 0 : 1);
	}
}

/* ---- what others do meanwhile ---- */

static uint32_t
flags_of(struct mailbox *m, uint32_t uid)
{
	struct mail_message message;

	assert_int_equal(mailbox_message(m, uid, 0, &message, &why), MAIL_OK);
	return message.flags;
}

static void
flags_that_another_has_just_set_stay(void **state)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.flags = MAIL_ANSWERED };
	struct uid_set uids = { 0 }, failed = { 0 };
	struct mail_account *a;
	struct mailbox *m;
	uint64_t modseq;

	(void)state;
	account_mail("cur/1.a,U=1:2,", "x\n");
	a = account_open();
	m = account_inbox(a);
	account_rename("cur/1.a,U=1:2,", "cur/1.a,U=1:2,F");
	account_flag(m, 1, MAIL_SEEN);
	assert_true(account_has("cur/1.a,U=1:2,FS"));
	assert_int_equal(flags_of(m, 1), MAIL_FLAGGED | MAIL_SEEN);
	/* RFC 7162 section 3.1.3: it has changed since */
	change.unchanged_since = status_of(m).highest_modseq;
	account_rename("cur/1.a,U=1:2,FS", "cur/1.a,U=1:2,DFS");
	uid_set_add(&uids, 1);
	assert_int_equal(mailbox_change_flags(m, &uids, &change, &modseq,
			     &failed, &why),
	    MAIL_OK);
	assert_true(uid_set_has(&failed, 1));
	assert_true(account_has("cur/1.a,U=1:2,DFS"));
	uid_set_fini(&uids);
	uid_set_fini(&failed);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* A directory that anybody may read is one that anybody may lock. */
static void
a_lock_on_the_directory_stops_nobody(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	int fd;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	fd = open("Maildir", O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	(void)alarm(120);
	a = account_open();
	m = account_inbox(a);
	(void)alarm(0);
	assert_int_equal(status_of(m).messages, 1);
	mailbox_close(&m);
	mail_account_close(&a);
	close(fd);
}

/* ---- parts of a copy ---- */

/* As a process has left them that was killed under this boot. */
static void
copy_is_cut_short(const char *boot)
{
	char text[200];

	assert_int_equal(link("Maildir/cur/1.a:2,",
			     "Maildir/.z/cur/2.a,U=1:2,"),
	    0);
	snprintf(text, sizeof(text),
	    "posthaste-arriving 2\nboot\t%s\nto\t.z\ncopy\t2.a,U=1:2,\nend\n",
	    boot);
	file_put("Maildir/posthaste-arriving", text);
}

static uint32_t
messages_in(struct mail_account *a, const char *name)
{
	struct mailbox *m = NULL;
	uint32_t n;

	assert_int_equal(mailbox_open(a, span_of(name), &m, &why), MAIL_OK);
	n = status_of(m).messages;
	mailbox_close(&m);
	return n;
}

static void
a_part_of_a_copy_does_not_follow_a_rename(void **state)
{
	struct mail_account *a;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	a = account_open();
	assert_int_equal(mail_folder_create(a, SPAN("z"), 0, &why), MAIL_OK);
	copy_is_cut_short(mail_index_boot());
	assert_int_equal(mail_folder_rename(a, SPAN("z"), SPAN("y"), &why),
	    MAIL_OK);
	assert_int_equal(messages_in(a, "y"), 0);
	assert_false(account_has("posthaste-arriving"));
	mail_account_close(&a);
}

/* Its end may have been told, and not the journal's. */
static void
a_journal_of_another_boot_takes_nothing_back(void **state)
{
	struct mail_account *a;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	a = account_open();
	assert_int_equal(mail_folder_create(a, SPAN("z"), 0, &why), MAIL_OK);
	copy_is_cut_short("00000000-0000-0000-0000-000000000000");
	assert_int_equal(messages_in(a, "z"), 1);
	assert_false(account_has("posthaste-arriving"));
	mail_account_close(&a);
}

/* ---- UIDs ---- */

/* Its header is of the last time that it was written as a whole. */
static const char dovecot_list[] =
    "3 V1000 N4 G3085f01b7f11094c501100008c4a11c1\n"
    "1 :1.a\n2 :2.a\n3 :3.a\n4 :4.a\n5 :5.a\n6 :6.a\n7 :7.a\n8 :8.a\n";

static void
six_of_eight(void)
{
	char path[32];

	for (int i = 1; i <= 6; i++) {
		snprintf(path, sizeof(path), "cur/%d.a:2,S", i);
		account_mail(path, "x\n");
	}
	file_put("Maildir/dovecot-uidlist", dovecot_list);
}

static void
lines_of_dovecot_say_which_uids_were_given(void **state)
{
	struct mailbox_status status;
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	six_of_eight();
	a = account_open();
	m = account_inbox(a);
	status = status_of(m);
	assert_int_equal(status.uidvalidity, 1000);
	assert_int_equal(status.messages, 6);
	assert_true(status.uidnext >= 9);
	assert_true(append(m) >= 9);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
and_those_that_it_adds_later(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	uint32_t next;
	char line[32];
	FILE *f;

	(void)state;
	six_of_eight();
	a = account_open();
	m = account_inbox(a);
	next = status_of(m).uidnext + 5000;
	f = fopen("Maildir/dovecot-uidlist", "a");
	assert_non_null(f);
	snprintf(line, sizeof(line), "%u :9.gone\n", (unsigned int)next);
	assert_true(fputs(line, f) >= 0);
	assert_int_equal(fclose(f), 0);
	/* the message came, and went */
	account_mail("cur/9.gone:2,", "x\n");
	assert_int_equal(unlink("Maildir/cur/9.gone:2,"), 0);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(status_of(m).uidnext, next + 1);
	mailbox_close(&m);
	mail_account_close(&a);
	/* it is in the state file too */
	without_index();
	assert_int_equal(unlink("Maildir/dovecot-uidlist"), 0);
	a = account_open();
	m = account_inbox(a);
	assert_true(status_of(m).uidnext > next);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
a_lost_state_file_goes_by_the_list(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	uint32_t uid = 0;

	(void)state;
	six_of_eight();
	a = account_open();
	m = account_inbox(a);
	for (int i = 0; i < 3; i++)
		uid = append(m);
	account_flag(m, uid, MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	mailbox_close(&m);
	mail_account_close(&a);
	without_index();
	assert_int_equal(unlink("Maildir/posthaste-folder"), 0);
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(status_of(m).uidvalidity, 1000);
	assert_true(append(m) > uid);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
a_damaged_state_file_begins_another_folder(void **state)
{
	struct mailbox_status before, after;
	struct mail_account *a;
	struct mailbox *m;
	const char *list;

	(void)state;
	six_of_eight();
	a = account_open();
	m = account_inbox(a);
	before = status_of(m);
	mailbox_close(&m);
	mail_account_close(&a);
	without_index();
	file_put("Maildir/posthaste-folder", "garbage\n");
	for (int i = 0; i < 2; i++) {
		a = account_open();
		m = account_inbox(a);
		after = status_of(m);
		assert_true(after.uidvalidity > before.uidvalidity);
		assert_string_not_equal(after.id, before.id);
		assert_int_equal(after.messages, 6);
		assert_true(account_has("posthaste-folder.damaged"));
		mailbox_close(&m);
		mail_account_close(&a);
		/* and once: the second time by the list alone */
		before.uidvalidity = after.uidvalidity - 1;
		without_index();
		assert_int_equal(unlink("Maildir/posthaste-folder"), 0);
	}
	list = file_get("Maildir/dovecot-uidlist");
	assert_null(strstr(list, "V1000 "));
	assert_non_null(strstr(list, "\n1 :1.a\n"));
	assert_non_null(strstr(list, "\n8 :8.a\n"));
	assert_false(account_has("dovecot-uidlist.lock"));
}

static void
dovecots_lock_is_waited_for(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	six_of_eight();
	file_put("Maildir/dovecot-uidlist.lock", "");
	file_put("Maildir/posthaste-folder", "garbage\n");
	a = account_open();
	assert_int_equal(mailbox_open(a, SPAN("INBOX"), &m, &why), MAIL_FAILED);
	assert_string_equal(file_get("Maildir/dovecot-uidlist"), dovecot_list);
	/* nothing of the damage is forgotten meanwhile */
	assert_int_equal(unlink("Maildir/dovecot-uidlist.lock"), 0);
	m = account_inbox(a);
	assert_true(status_of(m).uidvalidity > 1000);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* ---- changes ---- */

static void
what_was_never_told_tells_nothing(void **state)
{
	struct uid_set changed = { 0 }, removed = { 0 };
	struct mail_account *a;
	struct mailbox *m;
	uint64_t highest;
	bool complete;

	(void)state;
	six_of_eight();
	a = account_open();
	m = account_inbox(a);
	highest = status_of(m).highest_modseq;
	assert_int_equal(mailbox_changed(m, highest, &changed, &why), MAIL_OK);
	assert_true(uid_set_empty(&changed));
	assert_int_equal(mailbox_expunged(m, highest, &removed, &complete,
			     &why),
	    MAIL_OK);
	assert_true(complete);
	assert_int_equal(mailbox_changed(m, highest + 1, &changed, &why),
	    MAIL_OK);
	assert_int_equal(uid_set_members(&changed), 6);
	assert_int_equal(mailbox_expunged(m, highest + 1, &removed, &complete,
			     &why),
	    MAIL_OK);
	assert_false(complete);
	uid_set_fini(&changed);
	uid_set_fini(&removed);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
a_failed_commit_is_looked_after(void **state)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.flags = MAIL_DELETED,
		.unchanged_since = UINT64_MAX };
	struct uid_set set = { 0 };
	struct mail_account *a;
	struct mailbox *m;
	uint64_t modseq;

	(void)state;
	account_mail("cur/1.a:2,", "a\r\n");
	account_mail("cur/2.b:2,", "b\r\n");
	a = account_open();
	m = account_inbox(a);
	mailbox_watch(m, true);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	uid_set_add(&set, 1);
	commit_fails = true;
	assert_int_not_equal(mailbox_change_flags(m, &set, &change, &modseq,
				 NULL, &why),
	    MAIL_OK);
	commit_fails = false;
	assert_true(account_has("cur/1.a,U=1:2,T"));
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(status_of(m).deleted, 1);
	uid_set_fini(&set);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
a_folder_that_was_moved_is_not_empty(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,", "a\r\n");
	a = account_open();
	m = account_inbox(a);
	account_rename("cur", "elsewhere");
	assert_int_not_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(status_of(m).messages, 1);
	account_rename("elsewhere", "cur");
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(status_of(m).messages, 1);
	mailbox_close(&m);
	mail_account_close(&a);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_failed_flush_is_remembered),
		IN_FOLDER(also_when_the_mailbox_was_closed_meanwhile),
		IN_FOLDER(what_another_has_not_flushed_is_flushed_by_who_tells),
		IN_FOLDER(also_in_a_folder_that_is_only_looked_into),
		IN_FOLDER(what_is_known_to_be_on_disk_is_not_flushed_again),
		IN_FOLDER(flags_that_another_has_just_set_stay),
		IN_FOLDER(a_lock_on_the_directory_stops_nobody),
		IN_FOLDER(a_part_of_a_copy_does_not_follow_a_rename),
		IN_FOLDER(a_journal_of_another_boot_takes_nothing_back),
		IN_FOLDER(lines_of_dovecot_say_which_uids_were_given),
		IN_FOLDER(and_those_that_it_adds_later),
		IN_FOLDER(a_lost_state_file_goes_by_the_list),
		IN_FOLDER(a_damaged_state_file_begins_another_folder),
		IN_FOLDER(dovecots_lock_is_waited_for),
		IN_FOLDER(what_was_never_told_tells_nothing),
		IN_FOLDER(a_failed_commit_is_looked_after),
		IN_FOLDER(a_folder_that_was_moved_is_not_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
