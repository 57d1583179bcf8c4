/* SPDX-License-Identifier: ISC */
/*
 * Changes by others, as inotify(7) tells them. Our own renames come back as
 * events too: they are known by what mailbox_expect was told, and do not
 * count. A folder is watched from the first change that we make in it, so that
 * what others do meanwhile is not taken for ours. Without inotify (its limits
 * are per user) nothing is known to be quiet, and mailbox_sync compares stamps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mailbox_internal.h"

enum {
	EXPECTED_SLOTS = 8192, /* a power of two */
	EXPECTED_MAX = 4096, /* then events are read; the kernel keeps 16384 */
	LAST = 4, /* names of one change */
	EVENTS = 16384, /* bytes read at a time */
};

static const uint32_t interest =
    IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE;
/* The directory itself is not what it was. */
static const uint32_t gone = IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED;

struct mailbox_watch {
	int fd;
	int tree, control; /* watches of these directories, or -1 */
	uint64_t tree_changes;
	size_t expected;
	uint64_t names[EXPECTED_SLOTS]; /* digests; 0: empty */
	uint64_t last[LAST]; /* that may not have happened yet */
	unsigned int next;
};

static const uint32_t kinds[] = {
	[EVENT_LEAVES] = IN_MOVED_FROM,
	[EVENT_COMES] = IN_MOVED_TO,
	[EVENT_MADE] = IN_CREATE,
	[EVENT_REMOVED] = IN_DELETE,
};

uint64_t
mailbox_name_digest(struct span name, uint32_t seed)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed, eight = 0;

	for (; name.n >= sizeof(eight); name = span_skip(name, sizeof(eight))) {
		memcpy(&eight, name.p, sizeof(eight));
		h = (h ^ eight) * odd;
		h ^= h >> 32;
	}
	eight = name.n;
	for (size_t i = 0; i < name.n; i++)
		eight = eight << 8 | (unsigned char)name.p[i];
	h = (h ^ eight) * odd;
	h ^= h >> 32;
	return h == 0 ? 1 : h;
}

static uint64_t
digest(uint32_t kind, const char *name)
{
	return mailbox_name_digest(span_of(name), kind);
}

static uint64_t *
slot_of(struct mailbox_watch *w, uint64_t h)
{
	size_t i = (size_t)(h >> 16) & (EXPECTED_SLOTS - 1);

	while (w->names[i] != 0 && w->names[i] != h)
		i = (i + 1) & (EXPECTED_SLOTS - 1);
	return &w->names[i];
}

int
mail_account_watch_fd(struct mail_account *a)
{
	struct mailbox_watch *w = a->watch;

	/* INBOX is in a directory that is not ours to see */
	if (a->tree->at.mbox)
		return -1;
	if (w == NULL) {
		w = a->watch = mem_new(sizeof(*w));
		w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		w->tree = w->control = -1;
	}
	return w->fd;
}

void
mailbox_watch_free(struct mail_account *a)
{
	if (a->watch == NULL)
		return;
	fd_close(&a->watch->fd);
	free(a->watch);
	a->watch = NULL;
}

void
mailbox_doubt(struct mailbox_folder *f)
{
	f->dirty = f->dirty_cur = true;
}

static void
foreign_change(struct mailbox_folder *f)
{
	mailbox_doubt(f);
	f->foreign++;
}

static void
all_dirty(struct mail_account *a)
{
	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next)
		if (f->watch_cur != -1)
			foreign_change(f);
}

/* What comes and goes beside the folders without being of the tree? */
static bool
is_of_tree(const struct mail_account *a, const struct inotify_event *e)
{
	const struct mail_location *at = &a->tree->at;

	if (e->wd != a->watch->tree && e->wd != a->watch->control)
		return false;
	return (e->len > 0 && e->name[0] == '.') ||
	    (e->len > 0 &&
		strcmp(e->name,
		    at->subscriptions == NULL ? "subscriptions" :
						at->subscriptions) == 0);
}

static void
heed_event(struct mail_account *a, const struct inotify_event *e)
{
	if ((e->mask & IN_Q_OVERFLOW) != 0) {
		all_dirty(a);
		a->watch->tree_changes++;
		return;
	}
	if (is_of_tree(a, e)) {
		a->watch->tree_changes++;
		a->changes++;
	}
	if (e->len > 0 &&
	    *slot_of(a->watch, digest(e->mask & interest, e->name)) != 0)
		return;
	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next) {
		if (e->wd == f->watch_cur)
			foreign_change(f);
		else if (e->wd == f->watch_new)
			f->dirty = true;
		else
			continue;
		if ((e->mask & gone) != 0)
			mailbox_unwatch(f);
		/* this read may not have been the listener's */
		a->changes++;
	}
}

void
mail_account_heed(struct mail_account *a)
{
	struct mailbox_watch *w = a->watch;
	char events[EVENTS]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	if (w == NULL || w->fd == -1)
		return;
	while ((n = read(w->fd, events, sizeof(events))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e =
			    (const void *)(events + at);

			heed_event(a, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	/* what we did before has been told by now */
	if (w->expected > 0)
		memset(w->names, 0, sizeof(w->names));
	w->expected = 0;
}

static void
expect(struct mailbox_watch *w, uint64_t h)
{
	uint64_t *slot = slot_of(w, h);

	w->expected += *slot == 0;
	*slot = h;
}

void
mailbox_expect(struct mailbox *m, enum mailbox_event what, const char *name)
{
	struct mailbox_watch *w = m->account->watch;
	uint64_t h;

	if (m->folder->watch_cur == -1 && m->folder->watch_new == -1)
		return;
	h = digest(kinds[what], name);
	expect(w, h);
	w->last[w->next++ % LAST] = h;
	if (w->expected < EXPECTED_MAX)
		return;
	mail_account_heed(m->account);
	for (size_t i = 0; i < LAST; i++)
		if (w->last[i] != 0)
			expect(w, w->last[i]);
}

void
mailbox_expect_rename(struct mailbox *m, const char *from, const char *to)
{
	mailbox_expect(m, EVENT_LEAVES, from);
	mailbox_expect(m, EVENT_COMES, to);
}

/*
 * There is no inotify_add_watchat(2): it goes by the working directory.
 * "second" may be NULL.
 */
static void
add_watches(int fd, int directory, const char *first, int *first_watch,
    const char *second, int *second_watch)
{
	const uint32_t wanted =
	    interest | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;
	int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (back != -1 && fchdir(directory) == 0) {
		*first_watch = inotify_add_watch(fd, first, wanted);
		if (second != NULL)
			*second_watch = inotify_add_watch(fd, second, wanted);
		/* nothing of ours works in another place than that */
		if (fchdir(back) == -1)
			abort();
	}
	fd_close(&back);
}

void
mailbox_guard(struct mailbox_folder *f)
{
	int fd;

	if (f->watch_cur != -1 || f->deleted || f->unwatchable)
		return;
	fd = mail_account_watch_fd(f->account);
	if (fd != -1)
		add_watches(fd, f->files.dir, "cur", &f->watch_cur, "new",
		    &f->watch_new);
	if (f->watch_cur == -1 || f->watch_new == -1) {
		mailbox_unwatch(f);
		f->unwatchable = true;
	}
	/* what came before the watch */
	f->unproven = true;
}

bool
mailbox_unwatch_cur(struct mailbox_folder *f)
{
	struct mailbox_watch *w = f->account->watch;

	if (inotify_rm_watch(w->fd, f->watch_cur) == -1)
		return false;
	f->watch_cur = -1;
	return true;
}

void
mailbox_unwatch(struct mailbox_folder *f)
{
	struct mailbox_watch *w = f->account->watch;

	if (w == NULL || w->fd == -1)
		return;
	if (f->watch_cur != -1)
		(void)inotify_rm_watch(w->fd, f->watch_cur);
	if (f->watch_new != -1)
		(void)inotify_rm_watch(w->fd, f->watch_new);
	f->watch_cur = f->watch_new = -1;
}

void
mailbox_watch(struct mailbox *m, bool on)
{
	struct mailbox_folder *f = m->folder;

	if (on == m->watching || f->deleted)
		return;
	m->watching = on;
	if (on && f->watchers++ == 0) {
		f->unwatchable = false;
		mailbox_guard(f);
	} else if (!on && f->watchers > 0) {
		f->watchers--;
	}
}

bool
mailbox_watch_quiet(struct mailbox *m)
{
	struct mailbox_folder *f = m->folder;

	if (f->watch_cur == -1)
		return false;
	mail_account_heed(m->account);
	return !f->dirty && !f->unproven;
}

bool
mail_account_watch_tree(struct mail_account *a)
{
	const struct mail_tree *t = a->tree;
	int fd = mail_account_watch_fd(a);
	struct mailbox_watch *w = a->watch;

	if (t == NULL || fd == -1 || t->at.mbox || t->at.naming.fs)
		return false;
	if (w->tree == -1)
		add_watches(fd, t->root, ".", &w->tree, NULL, NULL);
	if (w->control == -1)
		add_watches(fd, t->control, ".", &w->control, NULL, NULL);
	return w->tree != -1 && w->control != -1;
}

uint64_t
mail_account_tree_changes(const struct mail_account *a)
{
	return a->watch == NULL ? 0 : a->watch->tree_changes;
}
