/* SPDX-License-Identifier: ISC */
/*
 * kill -9 in the middle: each operation runs in a child that is killed before
 * its first, second, third... system call that changes something, until it
 * comes to its end; after each the account is opened again, and must be as it
 * was or as it was to be.
 */
#include "lib/store/mailbox.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "lib/store/mail_append.h"
#include "tests/unit/lib/store/folder.h"

enum { MESSAGES = 5, CALLS_MAX = 2000 };

static struct why why;

/* ---- the account ---- */

static struct mail_account *
open_account(const char *location)
{
	struct mail_account_settings settings = { .location = location,
		.separator = '/' };
	struct mail_account *a;

	if (mail_account_open(&settings, &a, &why) == MAIL_OK)
		return a;
	fprintf(stderr, "%s\n", why.text);
	return NULL;
}

static bool
append(struct mailbox *m, unsigned int count)
{
	struct mail_append_message how = { .internal_date = 1700000000,
		.flags = MAIL_SEEN };
	struct mail_append *a = mail_append_new(m);
	struct uid_set uids = { 0 };
	bool good = true;
	uint32_t validity;

	for (unsigned int i = 0; good && i < count; i++)
		good =
		    mail_append_begin(a, &how, UINT64_MAX, &why) == MAIL_OK &&
		    mail_append_write(a, "Subject: x\r\n\r\ntext\r\n", 20,
			&why) == MAIL_OK;
	good = good && mail_append_commit(a, &validity, &uids, &why) == MAIL_OK;
	mail_append_free(&a);
	uid_set_fini(&uids);
	return good;
}

/* INBOX with messages, and a tree: a, a/b, a/b/c with two messages, z. */
static bool
prepare(const char *location)
{
	struct mail_account *a = open_account(location);
	struct mailbox *m = NULL;
	bool good = a != NULL;

	good = good && mailbox_open(a, SPAN("INBOX"), &m, &why) == MAIL_OK &&
	    append(m, MESSAGES);
	mailbox_close(&m);
	good = good &&
	    mail_folder_create(a, SPAN("a/b/c"), SPECIAL_SENT, &why) ==
		MAIL_OK &&
	    mail_folder_create(a, SPAN("z"), 0, &why) == MAIL_OK &&
	    mailbox_open(a, SPAN("a/b/c"), &m, &why) == MAIL_OK && append(m, 2);
	mailbox_close(&m);
	mail_account_close(&a);
	return good;
}

/* Messages in a folder; -1: there is none. */
static int
messages(struct mail_account *a, const char *name)
{
	struct mailbox_status status;
	struct mailbox *m = NULL;
	enum mail_result r = mailbox_open(a, span_of(name), &m, &why);

	if (r == MAIL_NONEXISTENT)
		return -1;
	assert_int_equal(r, MAIL_OK);
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	mailbox_close(&m);
	return (int)status.messages;
}

/* ---- what is tried ---- */

static bool
with_inbox(struct mail_account *a, bool (*call)(struct mailbox *m))
{
	struct mailbox *m = NULL;
	bool good =
	    mailbox_open(a, SPAN("INBOX"), &m, &why) == MAIL_OK && call(m);

	mailbox_close(&m);
	return good;
}

static bool
append_one_to(struct mailbox *m)
{
	return append(m, 1);
}

static bool
append_three_to(struct mailbox *m)
{
	return append(m, 3);
}

static bool
do_append(struct mail_account *a)
{
	return with_inbox(a, append_one_to);
}

static bool
do_append_several(struct mail_account *a)
{
	return with_inbox(a, append_three_to);
}

typedef enum mail_result
copying(struct mailbox *from, const struct uid_set *uids, struct mailbox *to,
    const struct mail_copying *how, struct mail_copies *copies, struct why *w);

static bool
transfer(struct mail_account *a, bool move, copying *copy)
{
	struct mailbox *from = NULL, *to = NULL;
	struct mail_copies copies = { 0 };
	struct uid_set all = { 0 };
	bool good;

	uid_set_add_range(&all, 1, 1000);
	good = mailbox_open(a, SPAN("INBOX"), &from, &why) == MAIL_OK &&
	    mailbox_open(a, SPAN("z"), &to, &why) == MAIL_OK &&
	    copy(from, &all, to, &(struct mail_copying){ .move = move },
		&copies, &why) == MAIL_OK &&
	    mail_account_settle(a, &why) == MAIL_OK && copies.count == MESSAGES;
	mail_copies_fini(&copies);
	uid_set_fini(&all);
	mailbox_close(&to);
	mailbox_close(&from);
	return good;
}

static bool
do_copy(struct mail_account *a)
{
	return transfer(a, false, mailbox_copy);
}

static bool
do_move(struct mail_account *a)
{
	return transfer(a, true, mailbox_copy);
}

/* As to a folder on another device. */
static bool
do_move_across(struct mail_account *a)
{
	return transfer(a, true, mailbox_copy_across);
}

static bool
do_create(struct mail_account *a)
{
	return mail_folder_create(a, SPAN("new/below"), SPECIAL_JUNK, &why) ==
	    MAIL_OK;
}

static bool
do_delete(struct mail_account *a)
{
	return mail_folder_delete(a, SPAN("a/b/c"), &why) == MAIL_OK;
}

static bool
do_rename(struct mail_account *a)
{
	return mail_folder_rename(a, SPAN("a"), SPAN("q/a"), &why) == MAIL_OK;
}

static bool
do_rename_inbox(struct mail_account *a)
{
	return mail_folder_rename(a, SPAN("INBOX"), SPAN("old"), &why) ==
	    MAIL_OK;
}

static bool
do_subscribe(struct mail_account *a)
{
	return mail_folder_subscribe(a, SPAN("a/b"), true, &why) == MAIL_OK;
}

/* ---- what must be so then; "done": it came to its end ---- */

static void
check_append(struct mail_account *a, bool done)
{
	int n = messages(a, "INBOX");

	assert_true(n == MESSAGES + 1 || (!done && n == MESSAGES));
}

static void
check_append_several(struct mail_account *a, bool done)
{
	int n = messages(a, "INBOX");

	assert_true(n == MESSAGES + 3 || (!done && n == MESSAGES));
}

static void
check_copy(struct mail_account *a, bool done)
{
	int n = messages(a, "z");

	assert_int_equal(messages(a, "INBOX"), MESSAGES);
	assert_true(n == MESSAGES || (!done && n == 0));
}

static void
check_move(struct mail_account *a, bool done)
{
	int n = messages(a, "z");

	assert_true(n == MESSAGES || (!done && n == 0));
	assert_int_equal(messages(a, "INBOX"), MESSAGES - n);
}

/* In one place at least: sources go one by one, when all copies are there. */
static void
check_move_across(struct mail_account *a, bool done)
{
	int n = messages(a, "z"), left = messages(a, "INBOX");

	assert_true(n == MESSAGES || (!done && n == 0));
	assert_true(n == MESSAGES || left == MESSAGES);
	assert_true(left == 0 || !done);
}

static void
check_create(struct mail_account *a, bool done)
{
	enum mail_result r;

	assert_true(!done || messages(a, "new/below") == 0);
	r = mail_folder_create(a, SPAN("new/below"), 0, &why);
	assert_true(r == MAIL_OK || r == MAIL_EXISTS);
	assert_int_equal(messages(a, "new/below"), 0);
	assert_int_equal(messages(a, "new"), 0);
}

static void
check_delete(struct mail_account *a, bool done)
{
	int n = messages(a, "a/b/c");

	assert_true(n == -1 || (!done && n == 2));
	assert_int_equal(messages(a, "a/b"), 0);
	/* what comes again is another one, and empty */
	if (n == -1) {
		assert_int_equal(mail_folder_create(a, SPAN("a/b/c"), 0, &why),
		    MAIL_OK);
		assert_int_equal(messages(a, "a/b/c"), 0);
	}
}

static void
check_rename(struct mail_account *a, bool done)
{
	struct mail_folder f;
	bool old = messages(a, "a") == 0;

	assert_false(done && old);
	assert_int_equal(messages(a, "a/b"), old ? 0 : -1);
	assert_int_equal(messages(a, "a/b/c"), old ? 2 : -1);
	assert_int_equal(messages(a, "q/a"), old ? -1 : 0);
	assert_int_equal(messages(a, "q/a/b"), old ? -1 : 0);
	assert_int_equal(messages(a, "q/a/b/c"), old ? -1 : 2);
	assert_int_equal(mail_folder_find(a,
			     old ? SPAN("a/b/c") : SPAN("q/a/b/c"), &f),
	    MAIL_OK);
	assert_int_equal(f.special, SPECIAL_SENT);
}

static void
check_rename_inbox(struct mail_account *a, bool done)
{
	int n = messages(a, "old");

	assert_true(n == MESSAGES || (!done && n <= 0));
	assert_int_equal(messages(a, "INBOX"), n > 0 ? 0 : MESSAGES);
}

static void
check_subscribe(struct mail_account *a, bool done)
{
	struct mail_folder f;

	assert_int_equal(mail_folder_find(a, SPAN("a/b"), &f), MAIL_OK);
	assert_true(f.subscribed || !done);
}

/* ---- the killing ---- */

static bool
changes(const struct user_regs_struct *r)
{
	switch ((long)r->orig_rax) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
	case SYS_pwritev:
	case SYS_rename:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_link:
	case SYS_linkat:
	case SYS_unlink:
	case SYS_unlinkat:
	case SYS_mkdir:
	case SYS_mkdirat:
	case SYS_rmdir:
	case SYS_ftruncate:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_msync:
	case SYS_utimensat:
	case SYS_copy_file_range:
		return true;
	case SYS_openat:
		return (r->rdx & (O_CREAT | O_TRUNC)) != 0;
	case SYS_open:
		return (r->rsi & (O_CREAT | O_TRUNC)) != 0;
	default:
		return false;
	}
}

static void
run_child(const char *location, bool (*act)(struct mail_account *a))
{
	struct mail_account *a;
	bool good;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	a = open_account(location);
	good = a != NULL && act(a);
	if (!good)
		fprintf(stderr, "failed: %s\n", why.text);
	mail_account_close(&a);
	_exit(good ? 0 : 1);
}

/* False: killed before the n-th. True: it ended before that. */
static bool
run_until(const char *location, bool (*act)(struct mail_account *a),
    unsigned int n)
{
	struct user_regs_struct regs;
	bool entering = true;
	int status, signal = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		run_child(location, act);
	assert_int_equal(waitpid(child, &status, 0), child);
	ptrace(PTRACE_SETOPTIONS, child, NULL,
	    PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, signal),
		    0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return true;
		}
		assert_true(WIFSTOPPED(status));
		signal = 0;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
			signal = WSTOPSIG(status);
			continue;
		}
		if (entering) {
			ptrace(PTRACE_GETREGS, child, NULL, &regs);
			if (changes(&regs) && n-- == 0)
				break;
		}
		entering = !entering;
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	return false;
}

struct operation {
	const char *name;
	bool (*act)(struct mail_account *a);
	void (*check)(struct mail_account *a, bool done);
};

static const struct operation operations[] = {
	{ "append", do_append, check_append },
	{ "append several", do_append_several, check_append_several },
	{ "copy", do_copy, check_copy },
	{ "move", do_move, check_move },
	{ "move across", do_move_across, check_move_across },
	{ "create", do_create, check_create },
	{ "delete", do_delete, check_delete },
	{ "rename", do_rename, check_rename },
	{ "rename INBOX", do_rename_inbox, check_rename_inbox },
	{ "subscribe", do_subscribe, check_subscribe },
};

/* UIDs of INBOX go on: no UID is given twice, whatever happened. */
static void
check_uids(struct mail_account *a, uint32_t validity)
{
	struct mailbox_status before, after;
	struct mailbox *m = NULL;

	assert_int_equal(mailbox_open(a, SPAN("INBOX"), &m, &why), MAIL_OK);
	assert_int_equal(mailbox_status(m, 0, &before, &why), MAIL_OK);
	assert_int_equal(before.uidvalidity, validity);
	assert_true(before.uidnext > MESSAGES);
	assert_true(append(m, 1));
	assert_int_equal(mailbox_status(m, 0, &after, &why), MAIL_OK);
	assert_int_equal(after.messages, before.messages + 1);
	assert_true(after.uidnext > before.uidnext);
	mailbox_close(&m);
}

static uint32_t
validity_of(const char *location)
{
	struct mail_account *a = open_account(location);
	struct mailbox_status status;
	struct mailbox *m = NULL;

	assert_non_null(a);
	assert_int_equal(mailbox_open(a, SPAN("INBOX"), &m, &why), MAIL_OK);
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	mailbox_close(&m);
	mail_account_close(&a);
	return status.uidvalidity;
}

static void
try_operation(const struct operation *o, const char *location)
{
	uint32_t validity;
	unsigned int n;
	bool done = false;

	assert_true(prepare(location));
	validity = validity_of(location);
	assert_int_equal(rename("m", "base"), 0);
	for (n = 0; !done && n < CALLS_MAX; n++) {
		struct mail_account *a;

		assert_int_equal(system("rm -rf m; cp -a base m"), 0);
		done = run_until(location, o->act, n);
		a = open_account(location);
		assert_non_null(a);
		o->check(a, done);
		check_uids(a, validity);
		mail_account_close(&a);
	}
	print_message("%s: killed %u times\n", o->name, n - 1);
	assert_true(done && n > 3);
	assert_int_equal(system("rm -rf m base"), 0);
}

static void
test_plus(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		try_operation(&operations[i], "maildir:m");
}

static void
test_fs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		try_operation(&operations[i], "maildir:m:LAYOUT=fs");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plus, folder_enter,
		    folder_leave),
		cmocka_unit_test_setup_teardown(test_fs, folder_enter,
		    folder_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
