/* SPDX-License-Identifier: ISC */
/* Counting, while others write. */
#include "lib/store/mail_quota.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#include "lib/store/mail_folder_tree.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/maildir_size.h"
#include "lib/task/task.h"
#include "tests/unit/lib/store/folder.h"

static const struct mail_quota limits = { .bytes_limit = 100,
	.messages_limit = 5 };

static void (*in_between)(void); /* a line and the move that it tells of */
/* What others do, once: amid a count, and between its last look and its end. */
static void (*amid)(void), (*at_the_end)(void);
static void (*behind_open)(void); /* of who brings mail */
static void (*when_listed)(void); /* the root */
static unsigned int counts; /* of directories */

static void
once(void (**act)(void))
{
	void (*now)(void) = *act;

	*act = NULL;
	if (now != NULL)
		now();
}

int openat(int at, const char *path, int flags, ...);

int
openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;
	int fd;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	if (strcmp(path, ".") == 0 && when_listed != NULL)
		when_listed();
	if (strcmp(path, "new") == 0) {
		counts++;
		once(&amid);
	}
	fd = (int)syscall(SYS_openat, at, path, flags, mode);
	if (strcmp(path, "maildirsize") == 0 && (flags & O_RDWR) != 0)
		once(&behind_open);
	return fd;
}

int renameat(int from, const char *old, int to, const char *name);

int
renameat(int from, const char *old, int to, const char *name)
{
	if (strcmp(name, "maildirsize") == 0)
		once(&at_the_end);
	else if (strncmp(old, "cur/", 4) == 0)
		once(&in_between);
	return (int)syscall(SYS_renameat2, from, old, to, name, 0);
}

/* What others do while they are waited for, each time. */
static void (*waited)(void);
static unsigned int waits;

int nanosleep(const struct timespec *how, struct timespec *left);

int
nanosleep(const struct timespec *how, struct timespec *left)
{
	waits++;
	if (waited != NULL)
		waited();
	return (int)syscall(SYS_nanosleep, how, left);
}

static void
file_append(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
one_comes(void)
{
	file_append("m/maildirsize", "10 1\n");
}

static void
one_goes(void)
{
	file_append("m/maildirsize", "-50 -1\n");
}

/* A copy, and the removal of what was copied. */
static void
one_is_copied_and_goes(void)
{
	file_append("m/maildirsize", "50 1\n-50 -1\n");
}

static void
one_is_moved(void)
{
	file_append("m/maildirsize", "0 0\n");
}

static void
one_goes_again(void)
{
	one_goes();
	amid = one_goes;
}

static void
nonsense_comes(void)
{
	file_append("m/maildirsize", "x\n");
}

static void
one_comes_amid_nonsense(void)
{
	nonsense_comes();
	one_comes();
	nonsense_comes();
}

/* 120 KB */
static void
many_come(void)
{
	FILE *f = fopen("m/maildirsize", "a");

	assert_non_null(f);
	for (unsigned int i = 0; i < 20000; i++)
		assert_true(fputs("10 1\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* One is half written when it is looked at first. */
static void
the_rest_comes(void)
{
	file_append("m/maildirsize", "0 1\n");
}

static void
half_comes(void)
{
	one_comes();
	file_append("m/maildirsize", "3");
	at_the_end = the_rest_comes;
}

/* What is as long as that is no such file. */
static void
more_comes_than_can_be(void)
{
	assert_int_equal(truncate("m/maildirsize", 1 << 30), 0);
}

static void
another_counts(void)
{
	unlink("m/maildirsize");
	file_put("m/maildirsize", "100S,5C\n70 2\n");
}

static void
it_is_forgotten(void)
{
	unlink("m/maildirsize");
}

/* One count, whatever comes meanwhile; nothing that came is lost. */
static void
test_lines_amid_a_count(void **state)
{
	static const struct {
		const char *before; /* NULL: no file */
		void (*amid)(void), (*at_the_end)(void);
		uint64_t bytes, messages;
		const char *after;
		unsigned int counts;
	} rows[] = {
		{ NULL, NULL, NULL, 50, 1, "100S,5C\n50 1\n", 1 },
		{ "1S\n9 9\n", NULL, NULL, 50, 1, "100S,5C\n50 1\n", 1 },
		{ "1S\n9 9\n", one_comes, NULL, 60, 2, "100S,5C\n50 1\n10 1\n",
		    1 },
		{ "1S\n9 9\n", one_comes, one_comes, 60, 2,
		    "100S,5C\n50 1\n10 1\n10 1\n", 1 },
		/* counted anew once, for it may have gone before */
		{ "1S\n9 9\n", one_goes, NULL, 50, 1, "100S,5C\n50 1\n", 2 },
		{ "1S\n9 9\n", one_is_copied_and_goes, NULL, 50, 1,
		    "100S,5C\n50 1\n", 2 },
		{ "1S\n9 9\n", one_is_moved, NULL, 50, 1, "100S,5C\n50 1\n",
		    2 },
		{ "1S\n9 9\n", one_goes_again, NULL, 0, 0,
		    "100S,5C\n50 1\n-50 -1\n", 2 },
		{ "1S\n9 9\n", nonsense_comes, NULL, 50, 1, "100S,5C\n50 1\n",
		    1 },
		{ "1S\n9 9\n", one_comes_amid_nonsense, NULL, 60, 2,
		    "100S,5C\n50 1\n10 1\n", 1 },
		{ "1S\n9 9\n", many_come, many_come, 200050, 20001,
		    "100S,5C\n50 1\n200000 20000\n200000 20000\n", 1 },
		{ "1S\n9 9\n", half_comes, NULL, 60, 2,
		    "100S,5C\n50 1\n10 1\n30 1\n", 1 },
		{ "1S\n9 9\n", more_comes_than_can_be, NULL, 50, 1, NULL, 1 },
		/* one that was quicker has lines of others by now */
		{ "1S\n9 9\n", another_counts, NULL, 50, 1, "100S,5C\n70 2\n",
		    1 },
		{ NULL, another_counts, NULL, 50, 1, "100S,5C\n70 2\n", 1 },
		{ "1S\n9 9\n", it_is_forgotten, NULL, 50, 1, NULL, 1 },
	};
	struct why why = { 0 };
	struct mail_location at;
	struct mail_tree tree;
	struct mail_quota q;

	(void)state;
	assert_true(mail_location_parse("maildir:m", &at, &why));
	assert_int_equal(mail_tree_open(AT_FDCWD, &at, '/', true, &tree, &why),
	    MAIL_OK);
	assert_int_equal(mkdir("m/cur", 0700), 0);
	file_put("m/cur/1.x,S=50:2,", "x");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unlink("m/maildirsize");
		if (rows[i].before != NULL)
			file_put("m/maildirsize", rows[i].before);
		amid = rows[i].amid;
		at_the_end = rows[i].at_the_end;
		counts = 0;
		assert_int_equal(mail_quota_use(&tree, &limits, &q, &why),
		    MAIL_OK);
		assert_int_equal(counts, rows[i].counts);
		assert_int_equal(q.bytes, rows[i].bytes);
		assert_int_equal(q.messages, rows[i].messages);
		if (rows[i].after != NULL)
			assert_string_equal(file_get("m/maildirsize"),
			    rows[i].after);
		else
			assert_int_equal(access("m/maildirsize", F_OK), -1);
	}
	mail_tree_close(&tree);
}

static void
make_mailbox(void)
{
	assert_int_equal(mkdir("m", 0700), 0);
	assert_int_equal(mkdir("m/cur", 0700), 0);
	assert_int_equal(mkdir("m/new", 0700), 0);
	assert_int_equal(mkdir("m/tmp", 0700), 0);
	file_put("m/cur/1.x,S=50:2,", "x");
	file_put("m/maildirsize", "1000S\n9 9\n");
}

/* As long as a slow disk takes. */
static void
time_passes(void)
{
	const struct timespec slice = { .tv_nsec = 11000000 };

	assert_int_equal(nanosleep(&slice, NULL), 0);
}

static bool
one_comes_in_between(void *with, unsigned int ms)
{
	unsigned int *pauses = with;

	assert_int_equal(ms, 0);
	if ((*pauses)++ == 0)
		one_comes();
	return true;
}

/* A count that takes long is one of many slices. */
static void
test_others_run_amid_a_count(void **state)
{
	unsigned int pauses = 0;
	const struct mail_quota_question q = { .limits = limits,
		.bytes = 20,
		.messages = 2,
		.pause = one_comes_in_between,
		.with = &pauses };
	struct why why = { 0 };

	(void)state;
	make_mailbox();
	file_put("m/new/2.x,S=10", "x");
	amid = time_passes;
	assert_int_equal(mail_quota_check("maildir:m", &q, &why), MAIL_OK);
	assert_in_range(pauses, 1, 100);
	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n60 2\n10 1\n");
}

static bool
note_pause(void *with, unsigned int ms)
{
	unsigned int *pauses = with;

	assert_int_equal(ms, 0);
	(*pauses)++;
	return true;
}

/* Whatever the owner has put beside his folders, and however much of it. */
static void
test_others_run_while_folders_are_listed(void **state)
{
	unsigned int pauses = 0;
	const struct mail_quota_question q = { .limits = limits,
		.pause = note_pause,
		.with = &pauses };
	struct why why = { 0 };

	(void)state;
	make_mailbox();
	assert_int_equal(mkdir("m/.a", 0700), 0);
	/* no file that a count needs */
	assert_int_equal(mkdir("m/posthaste-metadata", 0700), 0);
	assert_int_equal(mkdir("m/subscriptions", 0700), 0);
	when_listed = time_passes;
	assert_int_equal(mail_quota_check("maildir:m", &q, &why), MAIL_OK);
	when_listed = NULL;
	assert_in_range(pauses, 1, 100);
	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n50 1\n");
	/* nor does it make what is missing */
	assert_int_equal(access("m/.a/cur", F_OK), -1);
}

static struct maildir_claim claim;

static void
take_claim(void)
{
	int root = open("m", O_PATH | O_DIRECTORY);

	assert_int_equal(maildir_size_take(root, 10, 1, &claim),
	    MAILDIR_ROOM_TAKEN);
	close(root);
}

static void
its_name_comes(void)
{
	file_put("m/new/2.x,S=10", "x");
	maildir_claim_end(&claim);
}

static void
a_claim_comes(void)
{
	take_claim();
	waited = its_name_comes;
}

static bool
give_up(void *with, unsigned int ms)
{
	note_pause(with, ms);
	return false;
}

/* Its files are not looked at any more, nor the folders. */
static void
test_a_count_is_given_up(void **state)
{
	unsigned int pauses = 0;
	const struct mail_quota_question q = { .limits = limits,
		.pause = give_up,
		.with = &pauses };
	struct why why = { 0 };

	(void)state;
	make_mailbox();
	file_put("m/new/2.x,S=10", "x");
	assert_int_equal(mkdir("m/.a", 0700), 0);
	assert_int_equal(mkdir("m/.a/new", 0700), 0);
	amid = time_passes;
	counts = 0;
	assert_int_equal(mail_quota_check("maildir:m", &q, &why), MAIL_FAILED);
	assert_int_equal(pauses, 1);
	assert_int_equal(counts, 1);
	assert_string_equal(file_get("m/maildirsize"), "1000S\n9 9\n");
	assert_string_equal(why.text, "its count was given up");
}

/* Instead of sleeping. */
static bool
others_run(void *with, unsigned int ms)
{
	unsigned int *pauses = with;

	if (ms == 0)
		return true;
	(*pauses)++;
	if (waited != NULL)
		waited();
	return true;
}

/* A line may be written before its message has a name: not for long. */
static void
test_a_count_waits_for_names(void **state)
{
	static const struct {
		void (*before)(void), (*waited)(void), (*at_the_end)(void);
		unsigned int waits;
		const char *after; /* NULL: none, who asks next counts */
	} rows[] = {
		{ NULL, NULL, NULL, 0, "100S,5C\n50 1\n" },
		{ take_claim, its_name_comes, NULL, 1, "100S,5C\n60 2\n" },
		/* by who has the old file open when the new one comes */
		{ NULL, NULL, a_claim_comes, 1, "100S,5C\n50 1\n10 1\n" },
		{ NULL, NULL, take_claim, 20, NULL },
		/* its owner may hold the lock as long as he likes */
		{ take_claim, NULL, NULL, 20, "1000S\n9 9\n10 1\n" },
	};
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
	unsigned int pauses;
	struct mail_quota_question q = { .limits = limits, .with = &pauses };
	struct why why = { 0 };

	(void)state;
	make_mailbox();
	for (size_t n = 0; n < 2 * ROWS; n++) {
		size_t i = n % ROWS;

		unlink("m/new/2.x,S=10");
		unlink("m/maildirsize");
		file_put("m/maildirsize", "1000S\n9 9\n");
		claim.fd = -1;
		if (rows[i].before != NULL)
			rows[i].before();
		waited = rows[i].waited;
		at_the_end = rows[i].at_the_end;
		q.pause = n < ROWS ? NULL : others_run;
		waits = pauses = 0;
		assert_int_equal(mail_quota_check("maildir:m", &q, &why),
		    MAIL_OK);
		assert_int_equal(waits, n < ROWS ? rows[i].waits : 0);
		assert_int_equal(pauses, n < ROWS ? 0 : rows[i].waits);
		if (rows[i].after != NULL)
			assert_string_equal(file_get("m/maildirsize"),
			    rows[i].after);
		else
			assert_int_equal(access("m/maildirsize", F_OK), -1);
		waited = NULL;
		maildir_claim_end(&claim);
	}
}

/* Who comes to count and who comes with mail: each goes on. */
static void
test_a_held_lock_stops_nobody(void **state)
{
	int fd;

	(void)state;
	make_mailbox();
	fd = open("m/maildirsize", O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	take_claim();
	assert_string_equal(file_get("m/maildirsize"), "1000S\n9 9\n10 1\n");
	maildir_claim_end(&claim);
	close(fd);
}

static void
test_no_line_is_for_a_file_that_was_replaced(void **state)
{
	(void)state;
	make_mailbox();
	behind_open = another_counts;
	take_claim();
	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n70 2\n10 1\n");
	maildir_claim_end(&claim);
}

static struct mail_account *account;

static void
others_may_write(void)
{
	assert_false(mail_index_writing(account->index));
}

static void
one_more_comes(void)
{
	others_may_write();
	one_comes();
}

static struct mail_append *
begin(struct mailbox *m)
{
	const struct mail_append_message how = { .internal_date = 1 };
	struct mail_append *a = mail_append_new(m);
	struct why why = { 0 };

	assert_int_equal(mail_append_begin(a, &how, 10, &why), MAIL_OK);
	assert_int_equal(mail_append_write(a, "0123456789", 10, &why), MAIL_OK);
	return a;
}

static enum mail_result
commit(struct mail_append *a)
{
	struct uid_set uids = { 0 };
	struct why why = { 0 };
	enum mail_result r;
	uint32_t validity;

	counts = 0;
	r = mail_append_commit(a, &validity, &uids, &why);
	uid_set_fini(&uids);
	mail_append_free(&a);
	return r;
}

static enum mail_result
pass_on(struct mailbox *m, uint32_t uid, struct mailbox *to, bool move)
{
	const struct mail_copying how = { .move = move };
	struct uid_set uids = { 0 };
	struct mail_copies copies;
	struct why why = { 0 };
	enum mail_result r;

	counts = 0;
	uid_set_add(&uids, uid);
	r = mailbox_copy(m, &uids, to, &how, &copies, &why);
	mail_copies_fini(&copies);
	uid_set_fini(&uids);
	return r;
}

static enum mail_result
copy_first(struct mailbox *m)
{
	return pass_on(m, 1, m, false);
}

static void
write_size(const char *text)
{
	unlink("m/maildirsize");
	if (text != NULL)
		file_put("m/maildirsize", text);
	amid = others_may_write;
}

/* Only where the file says full or nothing, and with no transaction open. */
static void
test_counts_of_appends_and_copies(void **state)
{
	const struct mail_account_settings settings = { .location = "maildir:m",
		.separator = '/',
		.quota_bytes = limits.bytes_limit,
		.quota_messages = limits.messages_limit };
	struct why why = { 0 };
	struct mail_append *a;
	struct mailbox *m;

	(void)state;
	assert_int_equal(mail_account_open(&settings, &account, &why), MAIL_OK);
	assert_int_equal(mailbox_open(account, SPAN("INBOX"), &m, &why),
	    MAIL_OK);
	a = begin(m);
	assert_int_equal(commit(a), MAIL_OK);
	assert_int_equal(counts, 0);
	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n0 0\n10 1\n");
	/* another's limits; and a line comes while it is counted */
	a = begin(m);
	write_size("1S\n0 0\n");
	amid = one_more_comes;
	assert_int_equal(commit(a), MAIL_OK);
	assert_int_equal(counts, 1);
	assert_string_equal(file_get("m/maildirsize"),
	    "100S,5C\n10 1\n10 1\n10 1\n");
	write_size(NULL);
	assert_int_equal(copy_first(m), MAIL_OK);
	assert_int_equal(counts, 1);
	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n20 2\n10 1\n");
	/* full by what was noted */
	a = begin(m);
	write_size("100S,5C\n90 2\n5 1\n");
	assert_int_equal(commit(a), MAIL_OK);
	assert_int_equal(counts, 1);
	write_size("100S,5C\n90 2\n5 1\n");
	assert_int_equal(copy_first(m), MAIL_OK);
	assert_int_equal(counts, 1);
	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n40 4\n10 1\n");
	/* and by what is there: refused, and no folder is scanned for that */
	write_size("100S,5C\n0 0\n");
	a = begin(m);
	write_size("100S,5C\n40 4\n10 1\n");
	m->folder->dirty = m->folder->dirty_cur = false;
	assert_int_equal(commit(a), MAIL_OVER_QUOTA);
	assert_int_equal(counts, 1);
	assert_int_equal(copy_first(m), MAIL_OVER_QUOTA);
	assert_int_equal(counts, 0);
	assert_false(m->folder->dirty || m->folder->dirty_cur);
	assert_int_equal(m->folder->writing, 0);
	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n50 5\n");
	mailbox_close(&m);
	mail_account_close(&account);
}

/* Who begins to count now waits, and who has begun counts once more. */
static void
the_move_is_told(void)
{
	int fd = open("m/maildirsize", O_RDONLY);

	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n60 9\n0 0\n");
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	close(fd);
}

/* However full it is. */
static void
test_a_move_is_told_to_who_counts(void **state)
{
	static const struct {
		void (*in_between)(void);
		const char *after;
	} rows[] = {
		{ the_move_is_told, "100S,5C\n60 9\n0 0\n" },
		{ another_counts, NULL },
	};
	const struct mail_account_settings settings = { .location = "maildir:m",
		.separator = '/',
		.quota_bytes = limits.bytes_limit,
		.quota_messages = limits.messages_limit };
	struct mailbox *m, *other;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(mail_account_open(&settings, &account, &why), MAIL_OK);
	assert_int_equal(mail_folder_create(account, SPAN("other"), 0, &why),
	    MAIL_OK);
	assert_int_equal(mailbox_open(account, SPAN("INBOX"), &m, &why),
	    MAIL_OK);
	assert_int_equal(mailbox_open(account, SPAN("other"), &other, &why),
	    MAIL_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_size("100S,5C\n0 0\n");
		assert_int_equal(commit(begin(m)), MAIL_OK);
		write_size("100S,5C\n60 9\n");
		amid = NULL;
		in_between = rows[i].in_between;
		assert_int_equal(pass_on(m, (uint32_t)i + 1, other, true),
		    MAIL_OK);
		assert_null(in_between);
		if (rows[i].after != NULL)
			assert_string_equal(file_get("m/maildirsize"),
			    rows[i].after);
		else
			assert_int_equal(access("m/maildirsize", F_OK), -1);
	}
	mailbox_close(&other);
	mailbox_close(&m);
	mail_account_close(&account);
}

/* What says full stays, and is not what decides. */
static void
test_a_count_that_cannot_be_kept_is_an_answer(void **state)
{
	const struct mail_account_settings settings = { .location = "maildir:m",
		.separator = '/',
		.quota_bytes = limits.bytes_limit,
		.quota_messages = limits.messages_limit };
	struct why why = { 0 };
	struct mail_append *a;
	struct mailbox *m;
	int fd;

	(void)state;
	assert_int_equal(mail_account_open(&settings, &account, &why), MAIL_OK);
	assert_int_equal(mailbox_open(account, SPAN("INBOX"), &m, &why),
	    MAIL_OK);
	a = begin(m);
	write_size("100S,5C\n90 2\n5 1\n");
	fd = open("m/maildirsize", O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(commit(a), MAIL_OK);
	assert_string_equal(file_get("m/maildirsize"),
	    "100S,5C\n90 2\n5 1\n10 1\n");
	close(fd);
	amid = NULL;
	mailbox_close(&m);
	mail_account_close(&account);
}

static unsigned int came;

static void
commit_in_task(void *to)
{
	came += commit(begin(to)) == MAIL_OK;
}

/* The last finds no room behind the others, whose claims are its own wait. */
static void
test_a_group_waits_for_no_claim_of_its_own(void **state)
{
	const struct mail_account_settings settings = { .location = "maildir:m",
		.separator = '/',
		.quota_bytes = limits.bytes_limit,
		.quota_messages = limits.messages_limit };
	struct why why = { 0 };
	struct mailbox *m;

	(void)state;
	assert_int_equal(mail_account_open(&settings, &account, &why), MAIL_OK);
	assert_int_equal(mailbox_open(account, SPAN("INBOX"), &m, &why),
	    MAIL_OK);
	write_size("100S,5C\n80 1\n");
	amid = NULL;
	waits = came = 0;
	for (unsigned int i = 0; i < 3; i++)
		assert_non_null(task_start(commit_in_task, m));
	task_loop();
	assert_int_equal(came, 3);
	assert_int_equal(waits, 0);
	assert_string_equal(file_get("m/maildirsize"), "100S,5C\n20 2\n10 1\n");
	mailbox_close(&m);
	mail_account_close(&account);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_lines_amid_a_count),
		IN_FOLDER(test_others_run_amid_a_count),
		IN_FOLDER(test_others_run_while_folders_are_listed),
		IN_FOLDER(test_a_count_is_given_up),
		IN_FOLDER(test_a_count_waits_for_names),
		IN_FOLDER(test_a_held_lock_stops_nobody),
		IN_FOLDER(test_no_line_is_for_a_file_that_was_replaced),
		IN_FOLDER(test_counts_of_appends_and_copies),
		IN_FOLDER(test_a_move_is_told_to_who_counts),
		IN_FOLDER(test_a_count_that_cannot_be_kept_is_an_answer),
		IN_FOLDER(test_a_group_waits_for_no_claim_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
