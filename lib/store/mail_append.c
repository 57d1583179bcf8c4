/* SPDX-License-Identifier: ISC */
/*
 * New messages. Each is written to tmp as it comes; the commit then, inside
 * one transaction of the index, takes room of the quota for it, renames it to
 * cur under its UID, flushes the file (a journaling file system carries the
 * rename with it: what is flushed is found under its name), and puts its row.
 * One flush a message; tasks that commit at the same time are one group, whose
 * files are written back together, so that most of their flushes find nothing
 * to do.
 *
 * Messages are kept as the client sent them. The name tells their size (S=)
 * and what it is with CRLF line ends (W=); where both are equal the file can
 * be sent as it is.
 */
#include "lib/store/mail_append.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mail_quota.h"
#include "lib/store/mailbox_copy_journal.h"
#include "lib/store/mailbox_kind.h"
#include "lib/task/task.h"

enum { OPEN_MAX = 32 /* files that stay open until the commit */ };

struct message {
	char base[MAIL_BASE_MAX]; /* in tmp */
	char name[MAILDIR_FILE_MAX]; /* in cur */
	bool entered; /* it is there */
	int fd; /* -1: closed meanwhile */
	uint32_t flags;
	uint64_t keywords;
	int64_t date;
	uint64_t stored; /* bytes */
	uint64_t bare; /* LFs without a CR */
	bool after_cr;
	uint32_t uid;
};

struct mail_append {
	struct mailbox *to; /* first: struct mail_append_base */
	struct message *all;
	size_t count;
	uint64_t stored; /* of all */
	struct mail_room room; /* of the quota, while it is committed */
	bool failed; /* a write did: there is nothing to commit */
	/* of a commit */
	struct mail_append *next;
	bool done;
	bool alone; /* one message, in a group of its own */
	enum mail_result result;
	struct why *why;
};

struct mail_append *
mail_append_files_new(struct mailbox *to)
{
	struct mail_append *a = mem_new(sizeof(*a));

	a->to = to;
	a->room = (struct mail_room)MAIL_ROOM_INIT;
	if (!to->folder->swept) {
		mail_append_sweep(to->folder->files.dir);
		to->folder->swept = true;
	}
	return a;
}

static void
tmp_path(const struct message *m, char out[MAIL_BASE_MAX + 8])
{
	snprintf(out, MAIL_BASE_MAX + 8, "tmp/%s", m->base);
}

static void
drop_files(struct mail_append *a)
{
	char path[MAIL_BASE_MAX + 8];

	for (size_t i = 0; i < a->count; i++) {
		fd_close(&a->all[i].fd);
		tmp_path(&a->all[i], path);
		if (!a->all[i].entered)
			(void)!unlinkat(a->to->folder->files.dir, path, 0);
	}
	a->count = 0;
}

void
mail_append_files_free(struct mail_append **a)
{
	if (*a == NULL)
		return;
	drop_files(*a);
	free((*a)->all);
	free(*a);
	*a = NULL;
}

static enum mail_result
write_failed(struct why *why)
{
	return mailbox_disk_failed("cannot write the message", why);
}

static enum mail_result
ask_quota(const struct mail_append *a, uint64_t more, uint64_t messages,
    struct why *why)
{
	const struct mail_account *account = a->to->account;
	struct mail_quota limits = mail_account_limits(account);

	return mail_quota_ask(account->tree, &limits, a->stored + more,
	    messages, why);
}

/* With many messages only the last ones stay open. */
static void
close_early(struct mail_append *a)
{
	struct message *m;

	if (a->count < OPEN_MAX)
		return;
	m = &a->all[a->count - OPEN_MAX];
	if (m->fd >= 0)
		(void)sync_file_range(m->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	fd_close(&m->fd);
}

enum mail_result
mail_append_files_begin(struct mail_append *a,
    const struct mail_append_message *how, uint64_t size, struct why *why)
{
	char path[MAIL_BASE_MAX + 8];
	enum mail_result r;
	struct message *m;

	r = ask_quota(a, size == UINT64_MAX ? 0 : size, a->count + 1, why);
	if (r != MAIL_OK)
		return r;
	close_early(a);
	a->all = mem_resize(a->all, (a->count + 1) * sizeof(*a->all));
	m = &a->all[a->count];
	*m = (struct message){ .flags = how->flags & MAIL_SYSTEM_FLAGS,
		.keywords = how->keywords,
		.date = how->internal_date };
	mail_append_base(m->base);
	tmp_path(m, path);
	m->fd = openat(a->to->folder->files.dir, path,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (m->fd < 0)
		return write_failed(why);
	a->count++;
	return MAIL_OK;
}

static void
count_bare(struct message *m, const char *data, size_t n)
{
	const char *end = data + n, *at = data;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		bool cr = at == data ? m->after_cr : at[-1] == '\r';

		m->bare += !cr;
		at++;
	}
	if (n > 0)
		m->after_cr = end[-1] == '\r';
}

enum mail_result
mail_append_files_write(struct mail_append *a, const void *data, size_t n,
    struct why *why)
{
	struct message *m = &a->all[a->count - 1];

	if (fd_write_all(m->fd, data, n) != 0) {
		a->failed = true;
		return write_failed(why);
	}
	count_bare(m, data, n);
	m->stored += n;
	a->stored += n;
	return MAIL_OK;
}

/* ---- the commit, step by step ---- */

/*
 * The file's time is the message's date, as Dovecot and mutt have it; where
 * nothing else was said it is the one that it was written at.
 */
static int
set_date(struct message *m)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = m->date } };
	struct stat st;

	if (m->date != INT64_MIN)
		return futimens(m->fd, times);
	if (fstat(m->fd, &st) == -1)
		return -1;
	m->date = st.st_mtim.tv_sec;
	return 0;
}

static int
reopen(struct mail_append *a, struct message *m)
{
	char path[MAIL_BASE_MAX + 8];

	if (m->fd >= 0)
		return 0;
	tmp_path(m, path);
	m->fd = openat(a->to->folder->files.dir, path,
	    O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	return m->fd < 0 ? -1 : 0;
}

static enum mail_result
name_all(struct mail_append *a, uint32_t uid)
{
	for (size_t i = 0; i < a->count; i++) {
		struct message *m = &a->all[i];

		m->uid = uid + (uint32_t)i;
		if (!mail_append_file_name(m->base, m->stored,
			m->stored + m->bare, m->uid, m->flags, m->keywords,
			m->name)) {
			why_set(a->why, "5.2.0",
			    "the file's name would be too long");
			return MAIL_LIMIT;
		}
	}
	return MAIL_OK;
}

static int
enter(struct mail_append *a, struct message *m)
{
	const struct maildir_folder *f = &a->to->folder->files;
	char path[MAIL_BASE_MAX + 8];

	tmp_path(m, path);
	mailbox_expect(a->to, EVENT_COMES, m->name);
	if (reopen(a, m) != 0 || set_date(m) != 0 ||
	    renameat(f->dir, path, f->cur, m->name) != 0)
		return -1;
	m->entered = true;
	/* so that the flushes find little to do, if there are several */
	if (!a->alone)
		(void)sync_file_range(m->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (a->count > OPEN_MAX)
		fd_close(&m->fd);
	return 0;
}

/* Several: all, also when we are killed on the way. */
static int
enter_several(struct mail_append *a)
{
	struct arriving journal;

	arriving_begin(&journal, a->to, NULL);
	for (size_t i = 0; i < a->count; i++)
		arriving_add(&journal, a->all[i].name, NULL);
	if (!arriving_ready(&journal))
		return -1;
	for (size_t i = 0; i < a->count; i++)
		if (enter(a, &a->all[i]) != 0) {
			int error = errno;

			arriving_undo(&journal);
			arriving_end(&journal);
			errno = error;
			return -1;
		}
	if (!arriving_done(&journal)) {
		int error = errno;

		arriving_undo(&journal);
		arriving_end(&journal);
		errno = error;
		return -1;
	}
	arriving_end(&journal);
	return 0;
}

static enum mail_result
enter_all(struct mail_append *a)
{
	enum mail_result r;
	uint32_t uid;

	r = mailbox_give_uids(a->to, (uint32_t)a->count, &uid, a->why);
	if (r == MAIL_OK)
		r = name_all(a, uid);
	if (r != MAIL_OK)
		return r;
	if ((a->count == 1 ? enter(a, a->all) : enter_several(a)) == 0)
		return MAIL_OK;
	return write_failed(a->why);
}

/*
 * The device is asked behind the last, for all. mtime stays: it is
 * INTERNALDATE.
 */
static enum mail_result
flush_all(struct mail_append *a)
{
	const struct maildir_folder *f = &a->to->folder->files;

	for (size_t i = 0; i < a->count; i++) {
		struct message *m = &a->all[i];
		bool last = i + 1 == a->count;

		if (m->fd < 0)
			m->fd = openat(f->cur, m->name,
			    O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
		if (m->fd < 0 ||
		    (last ? file_system_commit(m->fd, 0, FILE_TIME_READ) :
			    fsync(m->fd)) != 0)
			return write_failed(a->why);
		fd_close(&m->fd);
	}
	return MAIL_OK;
}

static enum mail_result
arrive(struct mail_append *a, struct message *m, int64_t now)
{
	struct mail_index_message row = {
		.uid = m->uid,
		.flags = m->flags,
		.keywords = m->keywords,
		.date = m->date,
		.save_date = now,
		.size = m->stored + m->bare,
		.have = HAVE_DATE | HAVE_SIZE | HAVE_FORM |
		    (m->bare == 0 ? CRLF_FORM : 0),
		.name = span_of(m->name),
	};
	enum mail_result r = mailbox_arrive(a->to, &row, a->why);

	if (r == MAIL_OK)
		r = mail_append_keywords(a->to, m->keywords, m->uid, a->why);
	return r;
}

static enum mail_result
arrive_all(struct mail_append *a)
{
	struct mailbox_folder *f = a->to->folder;
	int64_t now = clock_wall_us() / 1000000;
	bool before = f->unflushed;
	enum mail_result r = MAIL_OK;

	for (size_t i = 0; r == MAIL_OK && i < a->count; i++)
		r = arrive(a, &a->all[i], now);
	/* their names were flushed with them */
	f->unflushed = before;
	return r;
}

/* Back to tmp: what is not committed is not to be seen. */
static void
leave_all(struct mail_append *a)
{
	const struct maildir_folder *f = &a->to->folder->files;
	char path[MAIL_BASE_MAX + 8];

	for (size_t i = 0; i < a->count; i++) {
		struct message *m = &a->all[i];

		if (!m->entered)
			continue;
		mailbox_expect(a->to, EVENT_LEAVES, m->name);
		tmp_path(m, path);
		if (renameat(f->cur, m->name, f->dir, path) == 0)
			m->entered = false;
	}
}

static enum mail_result
begin(struct mail_append *a)
{
	return mailbox_begin(a->to, a->why);
}

static enum mail_result
take_room(struct mail_append *a)
{
	return mail_room_take(&a->room, a->to->account, a->stored, a->count,
	    a->why);
}

static enum mail_result
keep_room(struct mail_append *a)
{
	maildir_claim_settle(&a->room.claim, a->to->account->root,
	    (int64_t)a->stored, (int64_t)a->count);
	return MAIL_OK;
}

static void
give_room_back(struct mail_append *a)
{
	maildir_claim_settle(&a->room.claim, a->to->account->root, 0, 0);
	maildir_claim_end(&a->room.claim);
}

static enum mail_result
commit(struct mail_append *a)
{
	return mailbox_commit(a->to, a->why);
}

static void
undo(struct mail_append **group, size_t n, bool entering)
{
	struct mailbox *first = group[0]->to;

	/* before, so that nobody else takes them up */
	for (size_t i = 0; i < n; i++) {
		leave_all(group[i]);
		give_room_back(group[i]);
	}
	for (size_t i = 0; !entering && i < n; i++)
		mailbox_leave(group[i]->to);
	if (mail_index_writing(first->account->index))
		mailbox_abort(first);
}

/*
 * Those of one account, all or none: each step is done for all before the
 * next. Nothing waits.
 */
static enum mail_result
commit_together(struct mail_append **group, size_t n)
{
	static enum mail_result (*const steps[])(struct mail_append * a) = {
		begin,
		take_room,
		enter_all,
		keep_room,
		flush_all,
		arrive_all,
		commit,
	};
	enum { STEPS = sizeof(steps) / sizeof(steps[0]), TAKING = 1 };
	enum mail_result r = MAIL_OK;

	for (size_t i = 0; i < n; i++) {
		group[i]->alone = n == 1 && group[i]->count == 1;
		group[i]->room.together = n > 1;
	}
	for (size_t s = 0; s < STEPS; s++)
		for (size_t i = 0; i < n; i++) {
			r = steps[s](group[i]);
			if (r == MAIL_OK)
				continue;
			undo(group, n, s != TAKING);
			return r;
		}
	return r;
}

/* All is counted anew between transactions: others need not wait for that. */
static enum mail_result
commit_alone(struct mail_append *a)
{
	enum mail_result r = commit_together(&a, 1);

	while (r == MAIL_OVER_QUOTA && a->room.ask) {
		r = mail_room_ask(&a->room, a->to->account, a->stored, a->count,
		    a->why);
		if (r == MAIL_OK)
			r = commit_together(&a, 1);
	}
	return r;
}

static void
finish(struct mail_append *a, enum mail_result r)
{
	a->result = r;
	a->done = true;
	mail_room_end(&a->room);
}

/* One that fails does not take the others with it. */
static void
commit_group(struct mail_append **group, size_t n)
{
	bool together = n > 1 && commit_together(group, n) == MAIL_OK;

	for (size_t i = 0; i < n; i++)
		finish(group[i], together ? MAIL_OK : commit_alone(group[i]));
}

/* ---- groups ---- */

static struct {
	struct mail_append *first;
	struct mail_append **last;
	bool gathering; /* one has begun, and lets others join */
	struct wait_queue done;
} group;

enum { GROUP_MAX = 64 };

/* The first of the list, and the others of its account, in their order. */
static struct mail_append *
commit_account(struct mail_append *list)
{
	struct mail_append *now[GROUP_MAX], *rest = NULL, **end = &rest;
	const struct mail_account *account = list->to->account;
	size_t n = 0;

	while (list != NULL) {
		struct mail_append *a = list;

		list = a->next;
		if (a->to->account == account && n < GROUP_MAX) {
			now[n++] = a;
			continue;
		}
		*end = a;
		end = &a->next;
	}
	*end = NULL;
	commit_group(now, n);
	return rest;
}

static void
lead(struct mail_append *a)
{
	struct mail_append *list;

	group.first = a;
	group.last = &a->next;
	group.gathering = true;
	/* those that have all they need can come this far meanwhile */
	(void)wait_yield();
	group.gathering = false;
	list = group.first;
	group.first = NULL;
	while (list != NULL)
		list = commit_account(list);
	wait_wake_all(&group.done);
}

/* The group works on our own memory: no leaving before it is done. */
static void
follow(struct mail_append *a)
{
	*group.last = a;
	group.last = &a->next;
	task_shield(true);
	while (!a->done)
		(void)wait_on(&group.done, INT64_MAX);
	task_shield(false);
}

enum mail_result
mail_append_files_commit(struct mail_append *a, uint32_t *uidvalidity,
    struct uid_set *uids, struct why *why)
{
	if (a->failed) {
		why_set(why, "4.2.0", "the message could not be written");
		return MAIL_FAILED;
	}
	if (a->count == 0)
		return MAIL_OK;
	a->why = why;
	a->next = NULL;
	a->done = false;
	if (group.gathering && task_current() != NULL)
		follow(a);
	else
		lead(a);
	if (a->result != MAIL_OK)
		return a->result;
	*uidvalidity = a->to->folder->row.uidvalidity;
	for (size_t i = 0; i < a->count; i++)
		uid_set_add(uids, a->all[i].uid);
	return a->to->folder->unflushed_state ?
	    mail_account_settle(a->to->account, why) :
	    MAIL_OK;
}
