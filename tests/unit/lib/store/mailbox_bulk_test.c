/* SPDX-License-Identifier: ISC */
/*
 * Most of a folder is renamed while its watch is away: what others do in that
 * very moment is seen nevertheless, and what we do is not taken for theirs. And
 * the flush of it, which begins with the last rename, is waited for, and is of
 * no more than was renamed before.
 */
#include "lib/store/mailbox.h"

#include "tests/unit/lib/store/account.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/store/mailbox_internal.h"

int __real_renameat(int from_at, const char *from, int to_at, const char *to);
int __wrap_renameat(int from_at, const char *from, int to_at, const char *to);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_pthread_create(pthread_t *, const pthread_attr_t *,
    void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *,
    void *(*)(void *), void *);

enum { COUNT = 2000, MOMENT = 1500 };

static void (*stranger)(const char *to); /* at the MOMENT-th rename */
static unsigned int renames;

int
__wrap_renameat(int from_at, const char *from, int to_at, const char *to)
{
	int r = __real_renameat(from_at, from, to_at, to);

	if (++renames == MOMENT && stranger != NULL)
		stranger(to);
	return r;
}

/* Of directories. */
static atomic_uint flushes, too_early;
static atomic_bool fsync_fails;
static bool no_threads;

int
__wrap_fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISDIR(st.st_mode))
		return __real_fsync(fd);
	flushes++;
	if (renames < COUNT)
		too_early++;
	if (!fsync_fails)
		return __real_fsync(fd);
	errno = EIO;
	return -1;
}

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how,
    void *(*run)(void *), void *with)
{
	return no_threads ? EAGAIN :
			    __real_pthread_create(thread, how, run, with);
}

static uint32_t
messages(struct mailbox *m, uint32_t flags)
{
	struct uid_set with = { 0 };
	uint32_t n;

	assert_int_equal(mailbox_with_flags(m, NULL, flags, 0, true, &with,
			     &why),
	    MAIL_OK);
	n = (uint32_t)uid_set_members(&with);
	uid_set_fini(&with);
	return n;
}

static uint32_t
all(struct mailbox *m)
{
	struct mailbox_status status;

	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	return status.messages;
}

/* Watched, looked at, with a stamp that has settled. */
static struct mailbox *
filled(struct mail_account **a)
{
	struct mailbox *m;
	char path[64];

	for (unsigned int i = 0; i < COUNT; i++) {
		snprintf(path, sizeof(path), "cur/%u.a:2,", 100000 + i);
		account_mail(path, "a\r\n");
	}
	/* longer than the clock's tick */
	usleep(20000);
	*a = account_open();
	m = account_inbox(*a);
	mailbox_watch(m, true);
	account_flag(m, 1, MAIL_DRAFT);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_true(mailbox_watch_quiet(m));
	assert_int_equal(all(m), COUNT);
	return m;
}

static void
change_all(struct mailbox *m, enum flag_action how, uint32_t flag,
    void (*by)(const char *to))
{
	struct flag_change change = { .action = how,
		.flags = flag,
		.unchanged_since = UINT64_MAX };
	struct uid_set set = { 0 };
	uint64_t modseq;

	uid_set_add_range(&set, 1, COUNT);
	renames = 0;
	stranger = by;
	assert_int_equal(mailbox_change_flags(m, &set, &change, &modseq, NULL,
			     &why),
	    MAIL_OK);
	stranger = NULL;
	uid_set_fini(&set);
}

static void
mark_all(struct mailbox *m, uint32_t flag, void (*by)(const char *to))
{
	change_all(m, FLAGS_ADD, flag, by);
}

static int watch_fd, told;

static void
counts(const char *to)
{
	(void)to;
	assert_int_equal(ioctl(watch_fd, FIONREAD, &told), 0);
}

static void
nobody_else_is_seen_where_nobody_was(void **state)
{
	struct mail_account *a;
	struct mailbox *m = filled(&a);

	(void)state;
	watch_fd = mail_account_watch_fd(a);
	mark_all(m, MAIL_FLAGGED, counts);
	assert_int_equal(renames, COUNT);
	/* that the watch is away, if anything: not of our renames */
	assert_true(told < 100);
	assert_true(mailbox_watch_quiet(m));
	assert_int_equal(messages(m, MAIL_FLAGGED), COUNT);
	/* and it is watched again */
	account_mail("cur/9.z:2,", "z\r\n");
	assert_false(mailbox_watch_quiet(m));
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(all(m), COUNT + 1);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
adds(const char *to)
{
	(void)to;
	account_mail("cur/9.z:2,S", "z\r\n");
}

static void
removes(const char *to)
{
	char path[300];

	snprintf(path, sizeof(path), "Maildir/cur/%s", to);
	assert_int_equal(unlink(path), 0);
}

/* What it read is unread again: one that has its new name already. */
static void
marks(const char *to)
{
	char from[290], other[290];
	int stem = (int)strcspn(to, ":");

	snprintf(from, sizeof(from), "cur/%s", to);
	snprintf(other, sizeof(other), "cur/%.*s:2,S", stem, to);
	account_rename(from, other);
}

/* One whose turn has not come: it is looked for. */
static void
marks_the_last(const char *to)
{
	char from[64], other[64];
	const unsigned int last = 100000 + COUNT - 1;

	(void)to;
	snprintf(from, sizeof(from), "cur/%u.a:2,", last);
	snprintf(other, sizeof(other), "cur/%u.a:2,S", last);
	account_rename(from, other);
}

static void
delivers(const char *to)
{
	(void)to;
	account_mail("new/9.z", "z\r\n");
}

static void
others_are_seen(void (*by)(const char *to), int more, uint32_t seen,
    uint32_t flagged)
{
	struct mail_account *a;
	struct mailbox *m = filled(&a);

	mark_all(m, MAIL_FLAGGED, by);
	/* longer than the clock's tick: no stamp tells of it */
	usleep(20000);
	assert_false(mailbox_watch_quiet(m));
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(all(m), COUNT + more);
	assert_int_equal(messages(m, MAIL_SEEN), seen);
	assert_int_equal(messages(m, MAIL_FLAGGED), flagged);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_true(mailbox_watch_quiet(m));
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
a_file_made_meanwhile_is_seen(void **state)
{
	(void)state;
	others_are_seen(adds, 1, 1, COUNT);
}

static void
a_file_removed_meanwhile_is_seen(void **state)
{
	(void)state;
	others_are_seen(removes, -1, 0, COUNT - 1);
}

static void
flags_changed_meanwhile_are_seen(void **state)
{
	(void)state;
	others_are_seen(marks, 0, 1, COUNT - 1);
}

static void
and_those_changed_before_us_stay(void **state)
{
	(void)state;
	others_are_seen(marks_the_last, 0, 1, COUNT);
}

static void
a_delivery_meanwhile_is_seen(void **state)
{
	(void)state;
	others_are_seen(delivers, 1, 0, COUNT);
}

/* ---- the flush that is begun ---- */

/* How often it is flushed until all is told that was changed, by us too. */
static unsigned int
until_told(struct mail_account *a)
{
	assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
	return atomic_exchange(&flushes, 0);
}

/* One that is killed before it came to its own flush. */
static void
another_one_flags(void)
{
	struct mail_account *a;
	pid_t child = fork();
	int status;

	if (child == 0) {
		a = account_open();
		account_flag(account_inbox(a), 2, MAIL_DRAFT);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
its_flush_is_of_what_was_renamed_before(struct mail_account *a,
    struct mailbox *m)
{
	mark_all(m, MAIL_FLAGGED, NULL);
	assert_int_equal(until_told(a), 1);
	assert_int_equal(until_told(a), 0);
	mark_all(m, MAIL_ANSWERED, NULL);
	another_one_flags();
	assert_int_equal(until_told(a), 2);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	(void)until_told(a);
	mark_all(m, MAIL_DELETED, NULL);
	account_flag(m, 3, MAIL_DRAFT);
	assert_int_equal(until_told(a), 2);
	assert_int_equal(too_early, 0);
}

static void
without_a_thread_it_waits(struct mail_account *a, struct mailbox *m)
{
	no_threads = true;
	change_all(m, FLAGS_REMOVE, MAIL_FLAGGED, NULL);
	no_threads = false;
	assert_int_equal(flushes, 0);
	assert_int_equal(messages(m, MAIL_FLAGGED), 0);
	assert_int_equal(until_told(a), 1);
}

static void
who_wants_none_has_none(struct mail_account *a, struct mailbox *m)
{
	a->flush_flags = false;
	change_all(m, FLAGS_REMOVE, MAIL_ANSWERED, NULL);
	a->flush_flags = true;
	assert_int_equal(flushes, 0);
	assert_int_equal(until_told(a), 1);
}

static void
where_it_fails_nothing_is_told(struct mail_account *a, struct mailbox *m)
{
	fsync_fails = true;
	change_all(m, FLAGS_REMOVE, MAIL_DELETED, NULL);
	assert_int_equal(mail_account_settle(a, &why), MAIL_FAILED);
	fsync_fails = false;
	assert_int_equal(mail_account_settle(a, &why), MAIL_FAILED);
	assert_true(mail_account_failed(a));
}

/* Of one mailbox, for it takes longest to make. */
static void
a_flush_begins_with_the_last_rename(void **state)
{
	struct mail_account *a;
	struct mailbox *m = filled(&a);

	(void)state;
	(void)until_told(a);
	too_early = 0;
	its_flush_is_of_what_was_renamed_before(a, m);
	without_a_thread_it_waits(a, m);
	who_wants_none_has_none(a, m);
	where_it_fails_nothing_is_told(a, m);
	mailbox_close(&m);
	mail_account_close(&a);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(nobody_else_is_seen_where_nobody_was),
		IN_FOLDER(a_file_made_meanwhile_is_seen),
		IN_FOLDER(a_file_removed_meanwhile_is_seen),
		IN_FOLDER(flags_changed_meanwhile_are_seen),
		IN_FOLDER(and_those_changed_before_us_stay),
		IN_FOLDER(a_delivery_meanwhile_is_seen),
		IN_FOLDER(a_flush_begins_with_the_last_rename),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
