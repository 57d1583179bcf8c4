/* SPDX-License-Identifier: ISC */
/*
 * Other programs in a mailbox that is open: what they do to folders and files
 * is seen, also in the middle of a change of ours, and costs no more than it
 * must.
 */
#include "lib/store/mailbox_view.h"

#include "tests/unit/lib/store/account.h"

#include <string.h>
#include <time.h>

#include "lib/store/mail_folder_tree.h"
#include "lib/store/mail_index.h"
#include "lib/store/maildir_folder.h"

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_maildir_folder_scan(const struct maildir_folder *f,
    const char *which, maildir_visit *visit, void *with);
int __wrap_maildir_folder_scan(const struct maildir_folder *f,
    const char *which, maildir_visit *visit, void *with);
enum mail_result __real_mail_tree_lock(struct mail_tree *t, struct why *w);
enum mail_result __wrap_mail_tree_lock(struct mail_tree *t, struct why *w);

enum { MANY = 300, FEW_SCANS = 4 };

static const char *strange[2]; /* renamed at the next flush */
static const char *locked[2]; /* renamed when the tree is locked next */
static unsigned int scans; /* of cur */

int
__wrap_fsync(int fd)
{
	const char *from = strange[0];

	strange[0] = NULL;
	if (from != NULL)
		account_rename(from, strange[1]);
	return __real_fsync(fd);
}

int
__wrap_maildir_folder_scan(const struct maildir_folder *f, const char *which,
    maildir_visit *visit, void *with)
{
	scans += strcmp(which, "cur") == 0;
	return __real_maildir_folder_scan(f, which, visit, with);
}

enum mail_result
__wrap_mail_tree_lock(struct mail_tree *t, struct why *w)
{
	enum mail_result r = __real_mail_tree_lock(t, w);
	const char *from = locked[0];

	locked[0] = NULL;
	if (from != NULL)
		account_rename(from, locked[1]);
	return r;
}

static struct mailbox_status
status_of(struct mailbox *m)
{
	struct mailbox_status status;

	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	return status;
}

static uint32_t
flags_of(struct mailbox *m, uint32_t uid)
{
	struct mail_message message;

	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(mailbox_message(m, uid, 0, &message, &why), MAIL_OK);
	return message.flags;
}

static void
append(struct mailbox *m)
{
	struct mail_append_message how = { .internal_date = INT64_MIN };
	struct mail_append *a = mail_append_new(m);
	struct uid_set uids = { 0 };
	uint32_t uidvalidity;

	assert_int_equal(mail_append_begin(a, &how, 4, &why), MAIL_OK);
	assert_int_equal(mail_append_write(a, "x\r\n", 3, &why), MAIL_OK);
	assert_int_equal(mail_append_commit(a, &uidvalidity, &uids, &why),
	    MAIL_OK);
	mail_append_free(&a);
	uid_set_fini(&uids);
}

/* ---- folders ---- */

static struct mailbox *
open_folder(struct mail_account *a, const char *name)
{
	struct mailbox *m;

	if (mailbox_open(a, span_of(name), &m, &why) != MAIL_OK)
		fail_msg("%s: %s", name, why.text);
	return m;
}

static void
make_folder(const char *path)
{
	static const char *const parts[] = { "", "/cur", "/new", "/tmp" };
	char whole[100];

	for (size_t i = 0; i < 4; i++) {
		snprintf(whole, sizeof(whole), "Maildir/%s%s", path, parts[i]);
		assert_int_equal(mkdir(whole, 0700), 0);
	}
}

static struct mail_account *
account_with_x(void)
{
	struct mail_account *a;

	account_mail("cur/1.a:2,", "x\n");
	a = account_open();
	assert_int_equal(mail_folder_create(a, SPAN("X"), 0, &why), MAIL_OK);
	return a;
}

static void
a_name_that_another_folder_has_now_leads_there(void **state)
{
	struct mail_account *a = account_with_x();
	struct mailbox *old = open_folder(a, "X"), *new, *again;
	struct mailbox_status before, status;

	(void)state;
	append(old);
	before = status_of(old);
	account_rename(".X", ".Y");
	make_folder(".X");
	account_mail(".X/new/1.x", "x\n");
	account_mail(".X/new/2.x", "x\n");
	new = open_folder(a, "X");
	status = status_of(new);
	assert_int_equal(status.messages, 2);
	assert_string_not_equal(status.id, before.id);
	assert_string_equal(mailbox_name(new), "X");
	assert_string_equal(mailbox_name(old), "Y");
	again = open_folder(a, "Y");
	assert_int_equal(status_of(again).messages, 1);
	assert_string_equal(status_of(again).id, before.id);
	mailbox_close(&again);
	/* what is deleted is the one of that name now */
	assert_int_equal(mail_folder_delete(a, SPAN("X"), &why), MAIL_OK);
	assert_int_equal(mailbox_sync(new, &why), MAIL_NONEXISTENT);
	assert_int_equal(status_of(old).messages, 1);
	assert_int_equal(status_of(old).highest_modseq, before.highest_modseq);
	mailbox_close(&new);
	mailbox_close(&old);
	mail_account_close(&a);
}

static enum mail_result
asked(void *with, int directory, struct why *w)
{
	struct stat st;

	(void)w;
	assert_int_equal(fstatat(directory, "cur", &st, 0), 0);
	if (with == NULL)
		return MAIL_NO_RIGHT;
	account_rename(".X", ".Z");
	account_rename(".Y", ".X");
	return MAIL_OK;
}

/* What was looked at is what is changed, or nothing is. */
static void
another_takes_the_name_of_what_was_looked_at(void **state)
{
	const struct mail_permit no = { asked, NULL },
				 exchanged = { asked, state };
	struct mail_account *a = account_with_x();
	struct mailbox *m = open_folder(a, "X");

	append(m);
	mailbox_close(&m);
	assert_int_equal(mail_folder_create(a, SPAN("Y"), 0, &why), MAIL_OK);
	m = open_folder(a, "Y");
	append(m);
	append(m);
	mailbox_close(&m);
	assert_int_equal(mail_folder_delete_if(a, SPAN("X"), &no, &why),
	    MAIL_NO_RIGHT);
	assert_int_equal(mail_folder_rename_if(a, SPAN("X"), SPAN("W"), &no,
			     &why),
	    MAIL_NO_RIGHT);
	assert_int_equal(mail_folder_rename_if(a, SPAN("INBOX"), SPAN("W"), &no,
			     &why),
	    MAIL_NO_RIGHT);
	assert_int_equal(mail_folder_find(a, SPAN("W"), NULL),
	    MAIL_NONEXISTENT);
	assert_int_equal(mail_folder_delete_if(a, SPAN("X"), &exchanged, &why),
	    MAIL_NONEXISTENT);
	m = open_folder(a, "X");
	assert_int_equal(status_of(m).messages, 2);
	mailbox_close(&m);
	account_rename(".X", ".Y");
	account_rename(".Z", ".X");
	assert_int_equal(mail_folder_rename_if(a, SPAN("X"), SPAN("W"),
			     &exchanged, &why),
	    MAIL_NONEXISTENT);
	assert_int_equal(mail_folder_find(a, SPAN("W"), NULL),
	    MAIL_NONEXISTENT);
	m = open_folder(a, "Z");
	assert_int_equal(status_of(m).messages, 1);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
names_are_exchanged(void **state)
{
	struct mail_account *a = account_with_x();
	struct mailbox *x = open_folder(a, "X"), *y, *m;
	char id[MAIL_ID_MAX];

	(void)state;
	assert_int_equal(mail_folder_create(a, SPAN("Y"), 0, &why), MAIL_OK);
	y = open_folder(a, "Y");
	append(y);
	memcpy(id, status_of(x).id, sizeof(id));
	account_rename(".X", ".Z");
	account_rename(".Y", ".X");
	account_rename(".Z", ".Y");
	m = open_folder(a, "X");
	assert_int_equal(status_of(m).messages, 1);
	mailbox_close(&m);
	assert_string_equal(mailbox_name(x), "Y");
	assert_string_equal(mailbox_name(y), "X");
	/* our own renames go by where they are, not by what they were */
	assert_int_equal(mail_folder_rename(a, SPAN("X"), SPAN("W"), &why),
	    MAIL_OK);
	assert_string_equal(mailbox_name(x), "Y");
	assert_string_equal(mailbox_name(y), "W");
	assert_string_equal(status_of(x).id, id);
	mailbox_close(&x);
	mailbox_close(&y);
	mail_account_close(&a);
}

static void
a_folder_that_others_made_anew_is_another(void **state)
{
	struct mail_account *a = account_with_x();
	struct mailbox *old = open_folder(a, "X"), *new;

	(void)state;
	append(old);
	assert_int_equal(system("rm -r Maildir/.X"), 0);
	make_folder(".X");
	new = open_folder(a, "X");
	assert_int_equal(status_of(new).messages, 0);
	assert_int_equal(mailbox_sync(old, &why), MAIL_NONEXISTENT);
	mailbox_close(&new);
	mailbox_close(&old);
	/* nobody has it open: the next one is not the one that was kept */
	assert_int_equal(system("rm -r Maildir/.X"), 0);
	make_folder(".X");
	account_mail(".X/new/1.x", "x\n");
	new = open_folder(a, "X");
	assert_int_equal(status_of(new).messages, 1);
	mailbox_close(&new);
	mail_account_close(&a);
}

static void
a_name_is_asked_for_after_renames_by_others(void **state)
{
	struct mail_account *a = account_with_x();
	struct mailbox *m = open_folder(a, "X");

	(void)state;
	account_rename(".X", ".Y");
	assert_string_equal(mailbox_name_now(m), "Y");
	assert_int_equal(status_of(m).messages, 0);
	mailbox_close(&m);
	mail_account_close(&a);
}

/*
 * It is found open, under an old name; while it is looked for, so that it gets
 * the new one, it is nowhere. Nobody else had it open.
 */
static void
what_is_opened_goes_meanwhile(void **state)
{
	struct mail_account *a = account_with_x();
	struct mailbox *m = open_folder(a, "X");

	(void)state;
	append(m);
	mailbox_close(&m);
	account_rename(".X", ".Z");
	locked[0] = ".Z";
	locked[1] = "away";
	assert_int_equal(mailbox_open(a, SPAN("Z"), &m, &why),
	    MAIL_NONEXISTENT);
	assert_null(locked[0]);
	assert_null(m);
	account_rename("away", ".Z");
	m = open_folder(a, "Z");
	assert_string_equal(mailbox_name(m), "Z");
	assert_int_equal(status_of(m).messages, 1);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* ---- in the middle of a change of ours ---- */

static void
a_flag_set_while_we_append_is_seen(bool by_the_next)
{
	struct mail_account *a;
	struct mailbox *m;

	account_mail("cur/1.a:2,", "x\n");
	a = account_open();
	m = account_inbox(a);
	append(m);
	strange[0] = "cur/1.a,U=1:2,";
	strange[1] = "cur/1.a,U=1:2,F";
	append(m);
	assert_null(strange[0]);
	if (by_the_next) {
		mailbox_close(&m);
		mail_account_close(&a);
		a = account_open();
		m = account_inbox(a);
	}
	assert_int_equal(flags_of(m, 1), MAIL_FLAGGED);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
what_others_do_while_we_append_is_seen(void **state)
{
	(void)state;
	a_flag_set_while_we_append_is_seen(false);
}

static void
and_by_the_process_that_comes_next(void **state)
{
	(void)state;
	a_flag_set_while_we_append_is_seen(true);
}

/* It has a name that we have just given to it. */
static void
a_message_removed_behind_our_change_is_gone(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,", "x\n");
	a = account_open();
	m = account_inbox(a);
	mailbox_watch(m, true);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	account_flag(m, 1, MAIL_SEEN);
	assert_int_equal(unlink("Maildir/cur/1.a,U=1:2,S"), 0);
	assert_int_equal(status_of(m).messages, 0);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* ---- what it costs ---- */

static void
many(void)
{
	char name[64];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "cur/%d.a:2,", 1000 + i);
		account_mail(name, "x\n");
	}
	/* longer than the clock's tick */
	usleep(20000);
}

/* As a program that marks all. */
static void
others_rename(const char *flags)
{
	static char names[MANY + 1][248];
	DIR *d = opendir("Maildir/cur");
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL && n <= MANY)
		if (e->d_name[0] != '.')
			snprintf(names[n++], 248, "cur/%.240s", e->d_name);
	closedir(d);
	for (size_t i = 0; i < n; i++) {
		char to[264];

		snprintf(to, sizeof(to), "%.*s:2,%s",
		    (int)strcspn(names[i], ":"), names[i], flags);
		account_rename(names[i], to);
	}
}

static void
few_scans(void)
{
	if (scans > FEW_SCANS)
		fail_msg("%u readings of cur", scans);
	scans = 0;
}

static void
our_own_changes_are_not_read_again(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	many();
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	scans = 0;
	for (uint32_t uid = 1; uid <= MANY; uid++) {
		account_flag(m, uid, MAIL_SEEN);
		assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	}
	for (int i = 0; i < 10; i++) {
		append(m);
		mailbox_close(&m);
		m = account_inbox(a);
	}
	assert_int_equal(scans, 0);
	mailbox_close(&m);
	mail_account_close(&a);
	/* nor by the next process */
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(scans, 0);
	mailbox_watch(m, true);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	/* and mail that comes to new is not looked for in cur */
	account_mail("new/5000.b", "x\n");
	assert_int_equal(status_of(m).messages, MANY + 11);
	assert_int_equal(scans, 0);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
files_that_others_renamed_are_found_together(void **state)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.flags = MAIL_DELETED,
		.unchanged_since = UINT64_MAX };
	struct uid_set all = { 0 }, removed = { 0 };
	struct mail_copies copies;
	struct mail_account *a;
	struct mailbox *m, *x;
	uint64_t modseq;

	(void)state;
	many();
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mail_folder_create(a, SPAN("X"), 0, &why), MAIL_OK);
	x = open_folder(a, "X");
	uid_set_add_range(&all, 1, MANY);
	scans = 0;
	others_rename("S");
	for (uint32_t uid = 1; uid <= MANY; uid++) {
		struct store_blob blob;

		assert_int_equal(mailbox_fetch(m, uid, &blob, &why), MAIL_OK);
		close(blob.fd);
	}
	few_scans();
	others_rename("");
	assert_int_equal(mailbox_copy(m, &all, x,
			     &(struct mail_copying){ .move = false }, &copies,
			     &why),
	    MAIL_OK);
	assert_int_equal(copies.count, MANY);
	mail_copies_fini(&copies);
	few_scans();
	others_rename("P");
	assert_int_equal(mailbox_change_flags(m, &all, &change, &modseq, NULL,
			     &why),
	    MAIL_OK);
	few_scans();
	assert_true(account_has("cur/1000.a,U=1:2,PT"));
	others_rename("ST");
	assert_int_equal(mailbox_expunge(m, NULL, &removed, &why), MAIL_OK);
	assert_int_equal(uid_set_members(&removed), MANY);
	few_scans();
	assert_int_equal(status_of(m).messages, 0);
	assert_string_equal(only_entry("Maildir/cur"), "");
	uid_set_fini(&all);
	uid_set_fini(&removed);
	mailbox_close(&x);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* Each modification sequence has removed something between all the others. */
static void
a_long_history_is_told_at_once(void **state)
{
	enum { STEPS = 2000, RANGES = 180 };
	struct mail_index_folder f = { .uidvalidity = 1,
		.uidnext = UINT32_MAX,
		.highest_modseq = 1 << 20 };
	struct mail_index *x = mail_index_open("index", &why);
	struct uid_set set = { 0 }, out = { 0 };
	bool complete;
	clock_t before;

	(void)state;
	assert_non_null(x);
	assert_true(mail_index_begin(x, &why));
	for (uint32_t i = 0; i < STEPS; i++) {
		set.count = 0;
		for (uint32_t j = 0; j < RANGES; j++)
			uid_set_add(&set, 1 + 2 * (j * STEPS + i));
		assert_true(mail_index_history_add(x, &f, HISTORY_REMOVALS,
		    i + 1, &set));
	}
	assert_true(mail_index_commit(x, &why));
	before = clock();
	assert_true(mail_index_hold(x));
	assert_true(
	    mail_index_history(x, &f, HISTORY_REMOVALS, 0, &out, &complete));
	mail_index_release(x);
	assert_true(complete);
	assert_int_equal(uid_set_members(&out), STEPS * RANGES);
	/* range by range: 20 seconds */
	assert_true((clock() - before) / CLOCKS_PER_SEC < 8);
	uid_set_fini(&set);
	uid_set_fini(&out);
	mail_index_close(&x);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_name_that_another_folder_has_now_leads_there),
		IN_FOLDER(another_takes_the_name_of_what_was_looked_at),
		IN_FOLDER(names_are_exchanged),
		IN_FOLDER(a_folder_that_others_made_anew_is_another),
		IN_FOLDER(a_name_is_asked_for_after_renames_by_others),
		IN_FOLDER(what_is_opened_goes_meanwhile),
		IN_FOLDER(what_others_do_while_we_append_is_seen),
		IN_FOLDER(and_by_the_process_that_comes_next),
		IN_FOLDER(a_message_removed_behind_our_change_is_gone),
		IN_FOLDER(our_own_changes_are_not_read_again),
		IN_FOLDER(files_that_others_renamed_are_found_together),
		IN_FOLDER(a_long_history_is_told_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
