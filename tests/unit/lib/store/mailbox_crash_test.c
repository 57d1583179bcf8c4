/* SPDX-License-Identifier: ISC */
/*
 * Killed before each system call that changes something, opened again, with
 * the index and without it: what was announced is still true, and no mail is
 * lost. Lines of doc/DURABILITY.md, "imapd: what is in a mailbox".
 */
#include "lib/store/mailbox_view.h"

#include "tests/unit/lib/store/account.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "lib/log/log.h"

enum { MAILS = 4 };

/* What a client was told, as the dead process had written it down. */
struct told {
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t modseq;
	uint32_t uid[MAILS]; /* by message; 0: not told yet */
	uint32_t flags[MAILS];
	bool removed[MAILS]; /* told, or about to be */
	bool gone[MAILS]; /* told */
	bool changing; /* flags are about to change */
};

/* Message i is "new/10i.x" and says so. */
static void
make_mailbox(void)
{
	char name[32], text[32];

	assert_int_equal(system("rm -rf Maildir"), 0);
	for (int i = 0; i < MAILS; i++) {
		snprintf(name, sizeof(name),
		    i < 2 ? "new/10%d.x" : "cur/10%d.x:2,F", i);
		snprintf(text, sizeof(text), "message %d\r\n", i);
		account_mail(name, text);
	}
}

static int
number_of(struct mailbox *m, uint32_t uid)
{
	struct store_blob blob;
	char text[64] = "";
	int number = -1;

	if (mailbox_fetch(m, uid, &blob, &why) != MAIL_OK)
		return -1;
	if (store_blob_read(&blob, text, sizeof(text) - 1) > 0)
		(void)!sscanf(text, "message %d", &number);
	store_blob_close(&blob);
	return number;
}

static void
tell(int to, const struct told *t)
{
	if (write(to, t, sizeof(*t)) != (ssize_t)sizeof(*t))
		_exit(3);
}

static void
must(enum mail_result r)
{
	if (r != MAIL_OK)
		_exit(4);
}

static void
look(struct mail_account *a, struct mailbox *m, struct told *t)
{
	struct mailbox_status status;
	struct mail_message message;
	struct uid_set all = { 0 };
	uint32_t uid = 0;

	must(mailbox_status(m, 0, &status, &why));
	must(mailbox_uids(m, 0, &all, &why));
	while (uid_set_next(&all, &uid)) {
		int i = number_of(m, uid);

		must(mailbox_message(m, uid, 0, &message, &why));
		if (i < 0)
			_exit(5);
		t->uid[i] = uid;
		t->flags[i] = message.flags;
	}
	uid_set_fini(&all);
	t->uidvalidity = status.uidvalidity;
	t->uidnext = status.uidnext;
	t->modseq = status.highest_modseq;
	must(mail_account_settle(a, &why));
}

/* A session: new mail, flags, an expunge; each told when it is settled. */
static void
session(int to)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.flags = MAIL_SEEN,
		.unchanged_since = UINT64_MAX };
	struct told t = { 0 };
	struct uid_set set = { 0 }, removed = { 0 };
	struct mail_account *a = account_open();
	struct mailbox *m = account_inbox(a);
	uint64_t modseq;

	look(a, m, &t);
	tell(to, &t);
	t.changing = true;
	tell(to, &t);
	uid_set_add(&set, t.uid[0]);
	uid_set_add(&set, t.uid[2]);
	must(mailbox_change_flags(m, &set, &change, &modseq, NULL, &why));
	change.flags = MAIL_DELETED;
	uid_set_remove_range(&set, t.uid[0], t.uid[0]);
	must(mailbox_change_flags(m, &set, &change, &modseq, NULL, &why));
	look(a, m, &t);
	t.changing = false;
	tell(to, &t);
	t.removed[2] = true;
	tell(to, &t);
	must(mailbox_expunge(m, NULL, &removed, &why));
	look(a, m, &t);
	t.gone[2] = true;
	tell(to, &t);
	mailbox_close(&m);
	mail_account_close(&a);
	_exit(0);
}

static bool
changes_something(const struct user_regs_struct *r)
{
	static const unsigned long long calls[] = { SYS_rename, SYS_renameat,
		SYS_renameat2, SYS_unlink, SYS_unlinkat, SYS_link, SYS_linkat,
		SYS_mkdir, SYS_mkdirat, SYS_pwrite64, SYS_pwritev, SYS_writev,
		SYS_write, SYS_ftruncate, SYS_fsync, SYS_fdatasync,
		SYS_utimensat, SYS_msync };

	if (r->orig_rax == SYS_openat)
		return (r->rdx & O_CREAT) != 0;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (r->orig_rax == calls[i])
			return true;
	return false;
}

/* True: it was killed before its n-th change; false: it ended before. */
static bool
run_until(unsigned int n, struct told *told)
{
	struct user_regs_struct regs;
	bool entering = true, killed = false;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		session(ends[1]);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, child, NULL,
	    PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			break;
		}
		assert_true(WIFSTOPPED(status));
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		ptrace(PTRACE_GETREGS, child, NULL, &regs);
		if (entering && changes_something(&regs) && n-- == 0) {
			kill(child, SIGKILL);
			assert_int_equal(waitpid(child, &status, 0), child);
			killed = true;
			break;
		}
		entering = !entering;
	}
	memset(told, 0, sizeof(*told));
	while (read(ends[0], told, sizeof(*told)) == (ssize_t)sizeof(*told))
		;
	close(ends[0]);
	return killed;
}

static void
check_message(struct mailbox *m, const struct told *t, uint32_t uid,
    bool *there)
{
	struct mail_message message;
	int i = number_of(m, uid);

	assert_in_range(i, 0, MAILS - 1);
	assert_false(there[i]);
	there[i] = true;
	assert_false(t->gone[i]);
	if (t->uid[i] == 0) /* nobody was told of it: it gets what is free */
		assert_true(uid >= t->uidnext);
	else
		assert_int_equal(uid, t->uid[i]);
	assert_int_equal(mailbox_message(m, uid, 0, &message, &why), MAIL_OK);
	if (t->uid[i] != 0 && !t->changing)
		assert_int_equal(message.flags, t->flags[i]);
	else if (i >= 2)
		assert_true((message.flags & MAIL_FLAGGED) != 0);
}

static void
check_mailbox(const struct told *t)
{
	struct mail_account *a = account_open();
	struct mailbox *m = account_inbox(a);
	struct mailbox_status status;
	struct uid_set all = { 0 };
	bool there[MAILS] = { false };
	uint32_t uid = 0, unseen = 0;
	struct mail_message message;

	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	if (t->uidvalidity != 0)
		assert_int_equal(status.uidvalidity, t->uidvalidity);
	assert_true(status.uidnext >= t->uidnext);
	assert_true(status.highest_modseq >= t->modseq);
	assert_int_equal(mailbox_uids(m, 0, &all, &why), MAIL_OK);
	while (uid_set_next(&all, &uid)) {
		check_message(m, t, uid, there);
		assert_true(uid < status.uidnext);
		assert_int_equal(mailbox_message(m, uid, 0, &message, &why),
		    MAIL_OK);
		unseen += (message.flags & MAIL_SEEN) == 0;
	}
	assert_int_equal(status.unseen, unseen);
	assert_int_equal(status.messages, uid_set_members(&all));
	for (int i = 0; i < MAILS; i++)
		assert_true(there[i] || t->removed[i] || t->gone[i]);
	/* what comes next is above all that was told */
	account_mail("new/999.x", "message 3\r\n");
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	uid_set_fini(&all);
	assert_int_equal(mailbox_uids(m, status.uidnext - 1, &all, &why),
	    MAIL_OK);
	assert_int_equal(uid_set_members(&all), 1);
	assert_true(uid_set_nth(&all, 0) >= t->uidnext);
	uid_set_fini(&all);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
crash_everywhere(bool lose_index)
{
	struct told told;
	unsigned int n = 0;
	bool killed;

	do {
		make_mailbox();
		killed = run_until(n++, &told);
		if (lose_index)
			(void)!unlink("Maildir/posthaste.index");
		check_mailbox(&told);
	} while (killed);
	/* a session makes that many changes at the least */
	assert_true(n > 30);
	assert_true(told.gone[2]);
}

static void
a_killed_process_loses_nothing(void **state)
{
	(void)state;
	crash_everywhere(false);
}

static void
nor_does_it_with_its_index(void **state)
{
	(void)state;
	crash_everywhere(true);
}

static int
quietly(void **state)
{
	log_threshold(LEVEL_ERROR);
	return folder_enter(state);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, quietly, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_killed_process_loses_nothing),
		IN_FOLDER(nor_does_it_with_its_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
