/* SPDX-License-Identifier: ISC */
/*
 * A state file that is damaged or gone, while the index is sound: nothing of
 * the folder changes.
 */
#include "tests/unit/lib/store/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "lib/store/folder_state.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/maildir_folder.h"

enum { KEYWORDS = 28 }; /* the last two are in the state file alone */

static struct mailbox *
box(struct mail_account *a, const char *name)
{
	struct mailbox *m = NULL;

	assert_int_equal(mailbox_open(a, span_of(name), &m, &why), MAIL_OK);
	return m;
}

static struct mailbox_status
status_of(struct mailbox *m)
{
	struct mailbox_status status;

	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	return status;
}

static struct mailbox_status
status_at(const char *name)
{
	struct mail_account *a = account_open();
	struct mailbox *m = box(a, name);
	struct mailbox_status status = status_of(m);

	mailbox_close(&m);
	mail_account_close(&a);
	return status;
}

static void
same(const struct mailbox_status *one, const struct mailbox_status *other)
{
	assert_int_equal(one->uidvalidity, other->uidvalidity);
	assert_int_equal(one->uidnext, other->uidnext);
	assert_int_equal(one->messages, other->messages);
	assert_int_equal(one->highest_modseq, other->highest_modseq);
	assert_string_equal(one->id, other->id);
}

static uint32_t
append(struct mailbox *m, uint64_t keywords)
{
	struct mail_append_message how = { .internal_date = INT64_MIN,
		.keywords = keywords };
	struct mail_append *a = mail_append_new(m);
	struct uid_set uids = { 0 };
	uint32_t uidvalidity, uid;

	assert_int_equal(mail_append_begin(a, &how, 1, &why), MAIL_OK);
	assert_int_equal(mail_append_write(a, "x", 1, &why), MAIL_OK);
	assert_int_equal(mail_append_commit(a, &uidvalidity, &uids, &why),
	    MAIL_OK);
	mail_append_free(&a);
	uid = uids.ranges[0].first;
	uid_set_fini(&uids);
	return uid;
}

/*
 * INBOX with messages 1 and 2, the first with all keywords; 3 is gone, the
 * highest UID that was given. And others, all made at once.
 */
static void
fill(void)
{
	struct mail_account *a = account_open();
	struct mailbox *m;
	uint64_t all = 0;
	char name[16];

	assert_int_equal(mail_folder_create(a, SPAN("x"), 0, &why), MAIL_OK);
	assert_int_equal(mail_folder_create(a, SPAN("y"), 0, &why), MAIL_OK);
	for (int i = 0; i < 2; i++) {
		m = box(a, i == 0 ? "x" : "y");
		append(m, 0);
		mailbox_close(&m);
	}
	m = account_inbox(a);
	for (int i = 0; i < KEYWORDS; i++) {
		int bit;

		snprintf(name, sizeof(name), "$k%d", i);
		bit = mailbox_keyword(m, span_of(name), true, &why);
		assert_true(bit >= 0);
		all |= UINT64_C(1) << bit;
	}
	append(m, all);
	append(m, 0);
	account_flag(m, append(m, 0), MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* What is written for the file; NULL: it is removed. */
static void
spoil(const char *text)
{
	if (text != NULL)
		file_put("Maildir/posthaste-folder", text);
	else
		assert_int_equal(unlink("Maildir/posthaste-folder"), 0);
}

static bool
has(struct mailbox *m, uint32_t uid, const char *name)
{
	int bit = mailbox_keyword(m, span_of(name), false, &why);
	struct mail_message message;

	assert_int_equal(mailbox_message(m, uid, 0, &message, &why), MAIL_OK);
	return bit >= 0 && (message.keywords >> bit & 1) != 0;
}

static void
it_is_made_of_the_index(void **state)
{
	static const char *const texts[] = { "garbage\n", "", NULL,
		/* cut off: that number is none */
		"posthaste-folder 1\nid 00\nuidvalidity 7" };
	struct mailbox_status before;

	(void)state;
	fill();
	before = status_at("INBOX");
	assert_int_equal(before.uidnext, 4);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct mailbox_status after;

		spoil(texts[i]);
		after = status_at("INBOX");
		same(&before, &after);
		/* and so it stays, by the file that was made */
		after = status_at("INBOX");
		same(&before, &after);
	}
	assert_true(account_has("posthaste-folder.damaged"));
}

/* The directory's stamp is another one then; its files are not. */
static void
also_when_others_have_been_at_work(void **state)
{
	static const char *const texts[] = { "garbage\n", NULL };
	struct mailbox_status before;

	(void)state;
	fill();
	before = status_at("INBOX");
	for (int i = 0; i < 2; i++) {
		char path[32];
		struct mailbox_status after;

		snprintf(path, sizeof(path), "cur/%d.foreign:2,", i);
		account_mail(path, "x\n");
		spoil(texts[i]);
		after = status_at("INBOX");
		assert_int_equal(after.uidvalidity, before.uidvalidity);
		assert_string_equal(after.id, before.id);
		assert_int_equal(after.uidnext, before.uidnext + 1);
		before = after;
	}
}

static void
a_session_goes_on(void **state)
{
	struct mail_account *a;
	struct mailbox_status before, after;
	struct mailbox *m;

	(void)state;
	fill();
	a = account_open();
	m = account_inbox(a);
	before = status_of(m);
	spoil("garbage\n");
	assert_int_equal(append(m, 0), before.uidnext);
	after = status_of(m);
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_string_equal(after.id, before.id);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
its_keywords_are_there(void **state)
{
	static const char salvage[] = "nothing\nkeyword 26 $k26\n";
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	fill();
	spoil(salvage);
	a = account_open();
	m = account_inbox(a);
	assert_true(has(m, 1, "$k0") && has(m, 1, "$k25"));
	assert_true(has(m, 1, "$k26"));
	/* that one's name is nowhere any more */
	assert_false(has(m, 1, "$k27"));
	assert_true(has(m, 1, "unknown-27"));
	assert_false(has(m, 2, "$k26") || has(m, 2, "unknown-27"));
	mailbox_close(&m);
	mail_account_close(&a);
	/* of the file that was made, without the index */
	assert_int_equal(system("rm Maildir/posthaste.index*"), 0);
	a = account_open();
	m = account_inbox(a);
	assert_true(has(m, 1, "$k26") && has(m, 1, "unknown-27"));
	assert_false(has(m, 2, "$k26"));
	mailbox_close(&m);
	mail_account_close(&a);
}

/* A copy by hand has the names of the original: it is another folder. */
static void
it_is_no_other_folders(void **state)
{
	struct mailbox_status before, copy;

	(void)state;
	fill();
	before = status_at("x");
	assert_int_equal(system("cp -a Maildir/.x Maildir/.copy && "
				"echo garbage >Maildir/.copy/posthaste-folder"),
	    0);
	copy = status_at("copy");
	assert_string_not_equal(copy.id, before.id);
	assert_int_not_equal(copy.uidvalidity, before.uidvalidity);
	assert_int_equal(copy.messages, 1);
	copy = status_at("x");
	same(&before, &copy);
}

static void
without_either_it_begins_anew(void **state)
{
	struct mailbox_status before, after;

	(void)state;
	fill();
	before = status_at("INBOX");
	spoil("garbage\n");
	assert_int_equal(system("rm Maildir/posthaste.index*"), 0);
	after = status_at("INBOX");
	assert_true(after.uidvalidity > before.uidvalidity);
	assert_string_not_equal(after.id, before.id);
	assert_int_equal(after.messages, 2);
}

/* ---- what speaks against the index ---- */

static void
says(uint32_t uidvalidity, uint32_t bound)
{
	char text[200];

	snprintf(text, sizeof(text),
	    "garbage\nuidvalidity %lu\nbound %lu\nkeyword 26 $k26\n",
	    (unsigned long)uidvalidity, (unsigned long)bound);
	spoil(text);
}

static void
another_uidvalidity_is_not_the_indexs(void **state)
{
	struct mailbox_status before, after;

	(void)state;
	fill();
	before = status_at("INBOX");
	says(before.uidvalidity + 1, 5);
	after = status_at("INBOX");
	assert_int_not_equal(after.uidvalidity, before.uidvalidity);
	assert_int_not_equal(after.uidvalidity, before.uidvalidity + 1);
	assert_string_not_equal(after.id, before.id);
	assert_int_equal(after.messages, 2);
	/* what was made then is what stays, without the file as well */
	before = after;
	spoil(NULL);
	after = status_at("INBOX");
	assert_string_equal(after.id, before.id);
	assert_int_equal(after.uidvalidity, before.uidvalidity);
}

static void
uids_below_the_bound_are_not_given_again(void **state)
{
	struct mailbox_status before, after;

	(void)state;
	fill();
	before = status_at("INBOX");
	says(before.uidvalidity, before.uidnext + 700);
	/* of one that the index does not know yet */
	account_mail("cur/1.late,U=504:2,", "x\n");
	after = status_at("INBOX");
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_string_equal(after.id, before.id);
	assert_int_equal(after.uidnext, before.uidnext + 700);
	assert_int_equal(after.messages, 3);
	assert_true(account_has("cur/1.late,U=504:2,"));
}

static void
an_old_index_is_not_believed(void **state)
{
	struct mailbox_status before, after;

	(void)state;
	fill();
	before = status_at("INBOX");
	says(before.uidvalidity, before.uidnext + FOLDER_UID_BLOCK + 1);
	after = status_at("INBOX");
	assert_int_not_equal(after.uidvalidity, before.uidvalidity);
	assert_string_not_equal(after.id, before.id);
	assert_int_equal(after.messages, 2);
}

/* The file is sound; the index was put back, and is older. */
static void
a_sound_file_knows_more_than_an_old_index(void **state)
{
	struct folder_state known;
	struct mailbox_status before, after;
	struct mail_account *a;
	struct mailbox *m;
	uint32_t bound;
	int directory;

	(void)state;
	fill();
	before = status_at("INBOX");
	directory = open("Maildir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory >= 0);
	assert_int_equal(folder_state_read(directory, &known), 0);
	bound = known.bound = before.uidnext + 2 * FOLDER_UID_BLOCK + 500;
	known.from = before.uidnext + 1;
	assert_int_equal(folder_state_write(directory, &known), 0);
	folder_state_fini(&known);
	assert_int_equal(close(directory), 0);
	/* what came since, and is still there */
	account_mail("cur/1.late,U=2004:2,", "x\n");
	a = account_open();
	m = account_inbox(a);
	after = status_of(m);
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_string_equal(after.id, before.id);
	assert_int_equal(after.messages, 3);
	assert_int_equal(after.uidnext, bound);
	/* above what the newer index has told */
	assert_true(after.highest_modseq > before.highest_modseq + 1000);
	assert_true(account_has("cur/1.late,U=2004:2,"));
	assert_int_equal(append(m, 0), bound);
	mailbox_close(&m);
	mail_account_close(&a);
	/* said once: the folder is what it is now */
	before = after;
	after = status_at("INBOX");
	assert_int_equal(after.uidnext, bound + 1);
	assert_int_equal(after.highest_modseq, before.highest_modseq + 1);
}

/* UIDs that came to nothing are given again, however many they were. */
static void
what_was_reserved_in_vain_is_no_old_index(void **state)
{
	struct mailbox_status before, after;
	struct mail_account *a;
	struct mailbox *m;
	uint32_t first;

	(void)state;
	fill();
	a = account_open();
	m = account_inbox(a);
	before = status_of(m);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mailbox_begin(m, &why), MAIL_OK);
		/* the first fits into what is reserved already */
		assert_int_equal(mailbox_give_uids(m, 7, &first, &why),
		    MAIL_OK);
		assert_int_equal(first, before.uidnext);
		assert_int_equal(mailbox_give_uids(m, 50000, &first, &why),
		    MAIL_OK);
		mailbox_abort(m);
	}
	after = status_of(m);
	assert_int_equal(after.uidnext, before.uidnext);
	assert_int_equal(append(m, 0), before.uidnext);
	after = status_of(m);
	assert_int_equal(after.highest_modseq, before.highest_modseq + 1);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* The new one takes the name over: who is killed before leaves the old. */
static void
the_name_is_never_free(void **state)
{
	int directory;

	(void)state;
	fill();
	spoil("garbage\n");
	directory = open("Maildir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory >= 0);
	for (int i = 0; i < 2; i++) {
		folder_state_set_aside(directory, "so on");
		assert_string_equal(file_get("Maildir/posthaste-folder"),
		    "garbage\n");
		assert_string_equal(file_get(
					"Maildir/posthaste-folder.damaged"),
		    "garbage\n");
	}
	assert_int_equal(close(directory), 0);
}

/* As an older program could leave it, killed at the wrong time. */
static void
what_was_set_aside_speaks_for_what_is_gone(void **state)
{
	struct mailbox_status before, after;
	char list[100];

	(void)state;
	fill();
	before = status_at("INBOX");
	says(before.uidvalidity, 900);
	account_rename("posthaste-folder", "posthaste-folder.damaged");
	assert_int_equal(system("rm Maildir/posthaste.index*"), 0);
	snprintf(list, sizeof(list), "3 V%lu N3\n1 :1.a\n",
	    (unsigned long)before.uidvalidity);
	file_put("Maildir/dovecot-uidlist", list);
	after = status_at("INBOX");
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_int_equal(after.uidnext, 900);
	/* of another UIDVALIDITY it says nothing */
	says(before.uidvalidity + 1, 5000);
	account_rename("posthaste-folder", "posthaste-folder.damaged");
	assert_int_equal(system("rm Maildir/posthaste.index*"), 0);
	after = status_at("INBOX");
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_true(after.uidnext < 5000);
}

/* ---- stamps ---- */

struct stamps {
	unsigned char id[MAIL_INDEX_ID];
	struct mail_index_folder row;
	bool found;
};

static bool
is_row(void *with, const struct mail_index_folder *row)
{
	struct stamps *s = with;

	if (memcmp(row->id, s->id, MAIL_INDEX_ID) == 0) {
		s->row = *row;
		s->found = true;
	}
	return true;
}

/* The one's row gets the other's stamps: they were changed in one tick. */
static void
stamp_row(const char *of, const char *as)
{
	struct mail_index *x = mail_index_open("Maildir/posthaste.index", &why);
	struct maildir_folder other;
	struct folder_state known;
	struct stamps s = { 0 };
	int directory = open(of, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_non_null(x);
	assert_true(directory >= 0);
	assert_int_equal(folder_state_read(directory, &known), 0);
	memcpy(s.id, known.id, sizeof(s.id));
	folder_state_fini(&known);
	assert_int_equal(close(directory), 0);
	directory = open(as, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(maildir_folder_open(&other, directory), 0);
	assert_true(mail_index_begin(x, &why));
	assert_true(mail_index_folders(x, is_row, &s) && s.found);
	assert_int_equal(maildir_folder_stamp(&other, "cur", &s.row.cur), 0);
	assert_int_equal(maildir_folder_stamp(&other, "new", &s.row.new), 0);
	assert_true(mail_index_folder_put(x, &s.row));
	assert_true(mail_index_commit(x, &why));
	maildir_folder_close(&other);
	mail_index_close(&x);
}

static void
names_count_more_than_a_stamp(void **state)
{
	struct mailbox_status x, y, after;

	(void)state;
	fill();
	x = status_at("x");
	y = status_at("y");
	stamp_row("Maildir/.x", "Maildir/.y");
	assert_int_equal(system("rm -r Maildir/.x Maildir/.y/posthaste-folder"),
	    0);
	after = status_at("y");
	same(&y, &after);
	/* what was never ours is not what is gone */
	assert_int_equal(system("mkdir -p Maildir/.z/cur Maildir/.z/new "
				"Maildir/.z/tmp"),
	    0);
	account_mail(".z/cur/1.z:2,", "z\n");
	after = status_at("z");
	assert_string_not_equal(after.id, x.id);
	assert_int_equal(after.messages, 1);
}

/* As many, with the stamp of what is gone, but others. */
static void
nor_does_it_count_alone(void **state)
{
	struct mailbox_status x, after;

	(void)state;
	fill();
	x = status_at("x");
	assert_int_equal(system("mkdir -p Maildir/.z/cur Maildir/.z/new "
				"Maildir/.z/tmp"),
	    0);
	account_mail(".z/cur/1.z:2,", "z\n");
	stamp_row("Maildir/.x", "Maildir/.z");
	assert_int_equal(system("rm -r Maildir/.x"), 0);
	after = status_at("z");
	assert_string_not_equal(after.id, x.id);
	assert_int_equal(after.messages, 1);
	assert_true(account_has(".z/cur/1.z,U=1:2,"));
}

/* Its names are few of those that are there. */
static void
files_without_a_uid_count(void **state)
{
	struct mailbox_status x, after;
	char path[40];

	(void)state;
	fill();
	x = status_at("x");
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), ".x/cur/%d.foreign:2,", i);
		account_mail(path, "x\n");
	}
	assert_int_equal(unlink("Maildir/.x/posthaste-folder"), 0);
	after = status_at("x");
	assert_string_not_equal(after.id, x.id);
	assert_int_equal(after.messages, 4);
}

/* However well it fits: cur is looked at. */
static void
what_is_there_is_read(void **state)
{
	struct mailbox_status before, after;

	(void)state;
	fill();
	before = status_at("INBOX");
	account_mail("cur/9.foreign:2,", "x\n");
	stamp_row("Maildir", "Maildir");
	spoil("garbage\n");
	after = status_at("INBOX");
	assert_string_equal(after.id, before.id);
	assert_int_equal(after.messages, 3);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

enum { MANY = 100 };

static unsigned int states_read;

int __real_folder_state_read(int directory, struct folder_state *out);
int __wrap_folder_state_read(int directory, struct folder_state *out);

int
__wrap_folder_state_read(int directory, struct folder_state *out)
{
	states_read++;
	return __real_folder_state_read(directory, out);
}

static void
make_many(int from, int to)
{
	char path[64];

	(void)mkdir("Maildir", 0700);
	for (int i = from; i < to; i++) {
		static const char *const parts[] = { "", "/tmp", "/new",
			"/cur" };

		for (size_t k = 0; k < 4; k++) {
			snprintf(path, sizeof(path), "Maildir/.n%d%s", i,
			    parts[k]);
			assert_int_equal(mkdir(path, 0700), 0);
		}
	}
}

static void
open_many(struct mail_account *a, int from, int to)
{
	char name[16];

	for (int i = from; i < to; i++) {
		struct mailbox *m;

		snprintf(name, sizeof(name), "n%d", i);
		m = box(a, name);
		mailbox_close(&m);
	}
}

/*
 * Folders that another program made within a tick of the clock: each could be
 * one of the others that lost its state, and each other says that it is not.
 */
static void
many_that_look_alike(void **state)
{
	struct mail_account *a;

	(void)state;
	make_many(0, MANY);
	a = account_open();
	states_read = 0;
	open_many(a, 0, MANY);
	/* 64 that look alike, and itself; by walks: 100,000 */
	assert_in_range(states_read, MANY, 100 * MANY);
	mail_account_close(&a);
}

/* One of some that look alike is still known by being nobody else. */
static void
one_of_some_that_look_alike(void **state)
{
	struct mail_account *a;
	struct mailbox_status before;

	(void)state;
	make_many(0, 20);
	a = account_open();
	open_many(a, 0, 20);
	mail_account_close(&a);
	before = status_at("n7");
	assert_int_equal(unlink("Maildir/.n7/posthaste-folder"), 0);
	make_many(20, 21); /* not this one */
	/* in a process that has seen the others, and in one that has not */
	for (int i = 0; i < 2; i++) {
		struct mailbox_status after;
		struct mailbox *m;

		a = account_open();
		if (i == 0)
			open_many(a, 8, 20);
		m = box(a, "n7");
		after = status_of(m);
		same(&before, &after);
		mailbox_close(&m);
		mail_account_close(&a);
		assert_int_equal(unlink("Maildir/.n7/posthaste-folder"), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(it_is_made_of_the_index),
		IN_FOLDER(also_when_others_have_been_at_work),
		IN_FOLDER(a_session_goes_on),
		IN_FOLDER(its_keywords_are_there),
		IN_FOLDER(it_is_no_other_folders),
		IN_FOLDER(without_either_it_begins_anew),
		IN_FOLDER(another_uidvalidity_is_not_the_indexs),
		IN_FOLDER(uids_below_the_bound_are_not_given_again),
		IN_FOLDER(an_old_index_is_not_believed),
		IN_FOLDER(a_sound_file_knows_more_than_an_old_index),
		IN_FOLDER(what_was_reserved_in_vain_is_no_old_index),
		IN_FOLDER(the_name_is_never_free),
		IN_FOLDER(what_was_set_aside_speaks_for_what_is_gone),
		IN_FOLDER(names_count_more_than_a_stamp),
		IN_FOLDER(nor_does_it_count_alone),
		IN_FOLDER(files_without_a_uid_count),
		IN_FOLDER(what_is_there_is_read),
		IN_FOLDER(many_that_look_alike),
		IN_FOLDER(one_of_some_that_look_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
