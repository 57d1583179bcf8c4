/* SPDX-License-Identifier: ISC */
/*
 * SECURITY. In the parent, which is root. Descriptors come from users'
 * processes, and may be of anything: only directories and files of the
 * account's own system user are watched, and nothing is read of them.
 */
#include "lib/login/parking_places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/hash_table.h"
#include "lib/base/mem.h"

enum {
	CHANGES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
	    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
	CHANGES_OF_FILE = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF,
};

/* A directory or file that is watched, for all connections that want it. */
struct spot {
	int number; /* of inotify */
	struct place *places;
	UT_hash_handle hh;
};

static struct spot *spots;
static int inotify = -1;
static bool separated;
static void (*wake_up)(struct parked *p);

static void
leave_spot(struct place *at)
{
	struct spot *s = at->spot;

	if (s == NULL)
		return;
	at->spot = NULL;
	*at->link = at->next;
	if (at->next != NULL)
		at->next->link = at->link;
	if (s->places != NULL)
		return;
	(void)inotify_rm_watch(inotify, s->number);
	HASH_DELETE(hh, spots, s);
	free(s);
}

/* One at a time: its neighbours may be of the same connection. */
static void
move_place(struct place *at, const struct place *from)
{
	*at = *from;
	if (at->spot == NULL)
		return;
	*at->link = at;
	if (at->next != NULL)
		at->next->link = &at->next;
}

/* False with errno: it cannot be watched. */
static bool
enter_spot(struct place *at, int fd, bool directory)
{
	char path[64];
	struct spot *s;
	int number;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	number = inotify_add_watch(inotify, path,
	    directory ? CHANGES : CHANGES_OF_FILE);
	if (number == -1)
		return false;
	HASH_FIND_INT(spots, &number, s);
	if (s == NULL) {
		s = mem_new(sizeof(*s));
		s->number = number;
		HASH_ADD_INT(spots, number, s);
	}
	at->spot = s;
	at->link = &s->places;
	at->next = s->places;
	if (at->next != NULL)
		at->next->link = &at->next;
	s->places = at;
	return true;
}

/*
 * Is it the user's own? Those who share mail with him are the same system
 * user. Without root we may watch what he may, and no more.
 */
static bool
may_watch(const struct session_owner *owner, const struct stat *st)
{
	return (S_ISDIR(st->st_mode) || S_ISREG(st->st_mode)) &&
	    (!separated || st->st_uid == owner->uid);
}

/* Did something happen between the process's last look and our watch? */
static bool
changed_since(int fd, uint64_t looked)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return true;
	/* another file may have taken its name over */
	return st.st_nlink == 0 ||
	    (uint64_t)st.st_ctim.tv_sec * 1000000000U +
		(uint64_t)st.st_ctim.tv_nsec !=
	    looked;
}

void
parking_places_watch(const struct session_owner *owner, struct parking_ahead *a,
    const struct msg_watch *m)
{
	struct place *at = &a->places[a->count];
	struct stat st;

	if (fstat(m->place, &st) == -1) {
		a->error = errno;
		return;
	}
	if (!may_watch(owner, &st)) {
		a->error = EPERM;
		return;
	}
	*at = (struct place){ .ahead = a };
	if (!enter_spot(at, m->place, S_ISDIR(st.st_mode))) {
		a->error = errno;
		return;
	}
	a->count++;
	a->early = a->early || changed_since(m->place, m->changed);
}

void
parking_places_drop(struct parking_ahead *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		leave_spot(&a->places[i]);
	a->count -= n;
	for (size_t i = 0; i < a->count; i++)
		move_place(&a->places[i], &a->places[i + n]);
}

void
parking_places_give(struct parking_ahead *a, struct place *to, struct parked *p)
{
	size_t n = a->count;

	a->count = 0;
	for (size_t i = 0; i < n; i++) {
		move_place(&to[i], &a->places[i]);
		to[i].parked = p;
		to[i].ahead = NULL;
	}
}

void
parking_places_leave(struct place *places, size_t n)
{
	for (size_t i = 0; i < n; i++)
		leave_spot(&places[i]);
}

static void
wake_place(struct place *at)
{
	if (at->parked != NULL) {
		wake_up(at->parked);
		return;
	}
	at->ahead->early = true;
	leave_spot(at);
}

static void
wake_spot(int number)
{
	struct spot *s;

	/* the last one to wake takes the spot along */
	for (;;) {
		HASH_FIND_INT(spots, &number, s);
		if (s == NULL)
			return;
		wake_place(s->places);
	}
}

/* Events were lost: everybody has to look. */
static void
wake_all_spots(void)
{
	while (spots != NULL)
		wake_spot(spots->number);
}

static bool
inotify_ready(struct session_watch *w, unsigned int events)
{
	static union {
		struct inotify_event align;
		char bytes[65536];
	} in;
	const struct inotify_event *e;
	ssize_t n = read(inotify, in.bytes, sizeof(in.bytes));

	(void)w, (void)events;
	for (ssize_t at = 0; n > 0 && at < n;
	     at += (ssize_t)(sizeof(*e) + e->len)) {
		e = (const void *)(in.bytes + at);
		if ((e->mask & IN_Q_OVERFLOW) != 0)
			wake_all_spots();
		else
			wake_spot(e->wd);
	}
	return true;
}

size_t
parking_places_most(size_t bound, const char *file)
{
	enum { SHARE = 16 };
	FILE *f = fopen(file, "re");
	unsigned long long all;

	if (f == NULL)
		return bound;
	if (fscanf(f, "%19llu", &all) == 1 && all / SHARE < bound)
		bound = (size_t)(all / SHARE);
	fclose(f);
	return bound;
}

bool
parking_places_setup(bool rights_differ, void (*wake)(struct parked *p))
{
	static struct session_watch changes = { inotify_ready };

	separated = rights_differ;
	wake_up = wake;
	inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return inotify != -1 && session_watch_add(inotify, EPOLLIN, &changes);
}
