/* SPDX-License-Identifier: ISC */
#include "lib/table/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/folder_events.h"
#include "lib/table/table.h"

enum {
	/* together well below a second: what is promised for a change */
	LOOK_EVERY_MS = 600,
	QUIET_MS = 250,
	POSTPONE_MAX = 8,
	/* Longer than the tick of any file system's clock but FAT's. */
	FRESH_US = 50 * 1000,
	/*
	 * Where the kernel does not tell names, each change in a folder where
	 * much happens may be that of a file that nobody waits for, and costs a
	 * restart: at most one in that time. What may come to be beside a text
	 * that is watched is made of it.
	 */
	BUSY_MS = 3000,
	BUSY_BESIDE_MS = 60000,
};

static bool restart_wanted; /* process lifetime */
static bool by_folder; /* the same */
static struct watch *closed_ones;

void
watch_open(struct watch *w, const char *path)
{
	char *folder = mem_text(path);
	char *slash = strrchr(folder, '/');
	struct stat st;

	w->path = mem_text(path);
	w->leaf = slash ? w->path + (slash - folder) + 1 : w->path;
	w->next_ms = 0;
	w->postponed = 0;
	w->by_root = false;
	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	w->folder =
	    open(slash ? folder : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	for (size_t i = 0; i < WATCH_FILES; i++)
		w->seen[i] = (struct watch_seen){ .fd = -1, .events = -1 };
	w->closed = geteuid() == 0 && w->folder >= 0 &&
	    fstat(w->folder, &st) == 0 && !(st.st_mode & S_IXOTH);
	w->next = closed_ones;
	if (w->closed)
		closed_ones = w;
}

void
watch_close(struct watch *w)
{
	struct watch **at = &closed_ones;

	while (*at != NULL && *at != w)
		at = &(*at)->next;
	if (*at == w)
		*at = w->next;
	fd_close(&w->folder);
	for (size_t i = 0; i < WATCH_FILES; i++)
		fd_close(&w->seen[i].fd);
	free(w->path);
	w->path = NULL;
}

bool
watch_due(struct watch *w)
{
	int64_t now = clock_ms();

	if (now < w->next_ms)
		return false;
	w->next_ms = now + LOOK_EVERY_MS;
	return true;
}

static int64_t
age(struct timespec modified)
{
	return clock_wall_us() / 1000 -
	    ((int64_t)modified.tv_sec * 1000 + modified.tv_nsec / 1000000);
}

bool
watch_settled(struct watch *w, const struct stat *st)
{
	int64_t age_ms = age(st->st_mtim);

	if (age_ms < 0 || age_ms >= QUIET_MS || w->postponed >= POSTPONE_MAX) {
		w->postponed = 0;
		return true;
	}
	w->postponed++;
	w->next_ms = clock_ms() + QUIET_MS;
	return false;
}

/* By path first: the folder may have been replaced by another. */
static bool
through_folder(const struct watch *w)
{
	return (errno == EACCES || by_folder) && w->folder >= 0;
}

void
watch_by_folder(void)
{
	by_folder = true;
}

static int
find(const struct watch *w, const char *suffix, struct stat *st)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s%s", w->path, suffix);
	if (stat(name, st) == 0)
		return 0;
	if (!through_folder(w))
		return -1;
	snprintf(name, sizeof(name), "%s%s", w->leaf, suffix);
	return fstatat(w->folder, name, st, 0);
}

/* Its own, or a free one. */
static struct watch_seen *
place_of(struct watch *w, const char *suffix)
{
	for (size_t i = 0; i < WATCH_FILES; i++)
		if (w->seen[i].suffix == NULL ||
		    strcmp(w->seen[i].suffix, suffix) == 0)
			return &w->seen[i];
	return NULL;
}

/* Is it one of several, of which another one has the text? */
static bool
has_text_beside(struct watch *w, const char *suffix)
{
	const struct watch_seen *text = place_of(w, "");

	return suffix[0] != '\0' && text != NULL && text->suffix != NULL &&
	    text->fd >= 0 && !text->link;
}

static void
hold_file(struct watch *w, struct watch_seen *h)
{
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", w->leaf, h->suffix);
	fd_close(&h->fd);
	h->link = fstatat(w->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode);
	h->fd = openat(w->folder, name, O_PATH | O_CLOEXEC);
}

/* Does the file not show what becomes of its name? */
static bool
is_blind(const struct watch_seen *h)
{
	return h->fd < 0 || h->link;
}

/* While root can: what is there by that name, if anything. */
static void
hold(struct watch *w, struct watch_seen *h)
{
	int busy_ms = has_text_beside(w, h->suffix) ? BUSY_BESIDE_MS : BUSY_MS;
	struct stat st;

	if (fstat(w->folder, &st) < 0)
		return;
	h->folder = st.st_mtim;
	h->not_before = clock_ms() + (age(st.st_mtim) < busy_ms ? busy_ms : 0);
	hold_file(w, h);
	h->told = false;
	h->events = -1;
	if (!is_blind(h))
		return;
	/* queues are few: for who needs one, and what came before it is seen */
	h->events = folder_events_begin(w->folder);
	hold_file(w, h);
}

/* As root; NULL: there is none. */
static void
note(struct watch *w, const char *suffix, const struct stat *st)
{
	struct watch_seen *h = place_of(w, suffix);

	w->by_root = true;
	if (h == NULL)
		return;
	h->suffix = suffix;
	h->stamp.known = false;
	if (st != NULL)
		watch_stamp_set(&h->stamp, st);
	if (w->closed)
		hold(w, h);
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Something has happened to this name. */
static void
told(int number, const char *name)
{
	for (struct watch *w = closed_ones; w != NULL; w = w->next)
		for (size_t i = 0; i < WATCH_FILES; i++) {
			struct watch_seen *h = &w->seen[i];
			size_t n = strlen(w->leaf);

			if (h->events >= 0 &&
			    (name == NULL ||
				(h->events == number &&
				    strncmp(name, w->leaf, n) == 0 &&
				    strcmp(name + n, h->suffix) == 0)))
				h->told = true;
		}
}

/* Is there another file or link in its place, or may there be? */
static bool
is_replaced(const struct watch_seen *h, const struct stat *folder)
{
	if (!is_blind(h))
		return false;
	if (h->events >= 0) {
		folder_events_read(told);
		return h->told;
	}
	return !same_time(folder->st_mtim, h->folder) &&
	    clock_ms() >= h->not_before;
}

/* Another folder by that name, or another file or link in it? */
static bool
folder_changed(const struct watch *w, const struct watch_seen *h)
{
	char name[PATH_MAX];
	struct stat held, now;

	if (fstat(w->folder, &held) < 0)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(w->leaf - w->path), w->path);
	if (name[0] != '\0' && stat(name, &now) == 0 &&
	    (now.st_ino != held.st_ino || now.st_dev != held.st_dev))
		return true;
	return is_replaced(h, &held);
}

/* What can be told of it from outside of its folder. */
static int
stat_held(struct watch *w, const char *suffix, struct stat *st)
{
	const struct watch_seen *h = place_of(w, suffix);

	if (h != NULL && h->suffix != NULL && folder_changed(w, h))
		watch_want_restart(w->path);
	if (h != NULL && h->fd >= 0 && fstat(h->fd, st) == 0) {
		if (st->st_nlink == 0)
			st->st_ino = 0; /* there is another by its name */
		return 0;
	}
	errno = EACCES;
	return -1;
}

int
watch_stat(struct watch *w, const char *suffix, struct stat *st)
{
	int result = find(w, suffix, st);
	int error = errno;

	if (geteuid() == 0)
		note(w, suffix, result == 0 ? st : NULL);
	else if (w->closed && result < 0 && error == EACCES)
		return stat_held(w, suffix, st);
	errno = error;
	return result;
}

bool
watch_lost_rights(const struct watch *w)
{
	return w->by_root && geteuid() != 0;
}

bool
watch_denied(struct watch *w, const char *suffix)
{
	const struct watch_seen *h = place_of(w, suffix);
	struct stat st;

	if (!watch_lost_rights(w))
		return false;
	if (watch_stat(w, suffix, &st) == 0 &&
	    (h == NULL || !watch_stamp_same(&h->stamp, &st)))
		watch_want_restart(w->path);
	return true;
}

int
watch_read(const struct watch *w, const char *suffix)
{
	/* O_NONBLOCK: a FIFO by that name must not stop the program */
	const int how = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s%s", w->path, suffix);
	fd = open(name, how);
	if (fd >= 0 || !through_folder(w))
		return fd;
	snprintf(name, sizeof(name), "%s%s", w->leaf, suffix);
	return openat(w->folder, name, how);
}

void
watch_stamp_set(struct watch_stamp *s, const struct stat *st)
{
	int64_t changed_us =
	    (int64_t)st->st_ctim.tv_sec * 1000000 + st->st_ctim.tv_nsec / 1000;
	int64_t age_us = clock_wall_us() - changed_us;

	/* one of the future is none the younger for being looked at again */
	*s = (struct watch_stamp){
		.known = true,
		.fresh = age_us > -FRESH_US && age_us < FRESH_US,
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = st->st_size,
		.owner = st->st_uid,
		.modified = st->st_mtim,
		.changed = st->st_ctim,
	};
}

bool
watch_stamp_same(const struct watch_stamp *s, const struct stat *st)
{
	return s->known && !s->fresh && s->device == st->st_dev &&
	    s->inode == st->st_ino && s->size == st->st_size &&
	    same_time(s->modified, st->st_mtim) &&
	    same_time(s->changed, st->st_ctim);
}

void
watch_want_restart(const char *path)
{
	if (!restart_wanted)
		log_info("table %s has changed -- restarting", path);
	restart_wanted = true;
}

bool
table_restart_wanted(void)
{
	return restart_wanted;
}
