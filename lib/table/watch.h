/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_WATCH_H
#define LIB_TABLE_WATCH_H

/*
 * A file that is looked at again a few times a second at most.
 *
 * Its folder is opened at once, with the rights the program has then, so
 * that the file stays reachable below folders that the program cannot
 * traverse later. Where that folder itself is for root alone, the file is kept
 * as well: a program that has given up root sees in it that the file has
 * changed or is not the one by that name any more, and asks for a restart.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What a file was when it was read. */
struct watch_stamp {
	bool known;
	bool fresh; /* so young that a change may not show in its times */
	dev_t device;
	ino_t inode;
	off_t size;
	uid_t owner;
	struct timespec modified;
	struct timespec changed;
};

enum { WATCH_FILES = 3 }; /* names of one table that differ in the suffix */

/* A file as root has seen it last. */
struct watch_seen {
	const char *suffix; /* NULL: this place is free */
	struct watch_stamp stamp; /* not known: there was none */
	/* Where the folder will be closed to the program: */
	int fd; /* O_PATH; -1: there was none by that name */
	bool link; /* a symbolic one: the file does not show that it changed */
	/* What comes to be in its place: told by the kernel, or guessed. */
	int events; /* folder_events.h; -1: guessed */
	bool told;
	struct timespec folder; /* when the folder had changed last, then */
	int64_t not_before; /* monotonic: a change of the folder says nothing */
};

struct watch {
	char *path;
	const char *leaf; /* in path */
	int folder; /* -1 when it could not be opened */
	bool closed; /* to others than its owner: files are held */
	bool by_root; /* root has looked */
	struct watch_seen seen[WATCH_FILES];
	int64_t next_ms; /* monotonic: not looked at before */
	unsigned int postponed; /* times in a row that it was still young */
	struct watch *next; /* of the closed ones */
};

/* It stays where it is in memory until watch_close. */
void watch_open(struct watch *w, const char *path);
void watch_close(struct watch *w);
/* True when it is time to look again, and the first time. */
bool watch_due(struct watch *w);
/*
 * Has the file been left alone for a moment? If not, somebody may be in the
 * middle of writing it: the old content should stay, and watch_due is true
 * soon. A file that never rests is taken as it is in the end.
 */
bool watch_settled(struct watch *w, const struct stat *st);

/*
 * The file, with a suffix behind its name ("" for none), which lives as long as
 * the watch. -1 with errno. watch_stat may speak of a file that has been
 * replaced: it is not as it was, and cannot be read.
 */
int watch_stat(struct watch *w, const char *suffix, struct stat *st);
int watch_read(const struct watch *w, const char *suffix);

/* Has root looked here, and do we have less rights now? */
bool watch_lost_rights(const struct watch *w);
/*
 * Reading it was EACCES. True: root has looked, and knows as much as can be
 * known of this file; where it is another now, a restart is asked for.
 */
bool watch_denied(struct watch *w, const char *suffix);

void watch_stamp_set(struct watch_stamp *s, const struct stat *st);
/* False for a stamp that was young when it was taken. */
bool watch_stamp_same(const struct watch_stamp *s, const struct stat *st);

/*
 * For the whole process: the root directory is another than that of the paths,
 * so files are reached by their folders alone.
 */
void watch_by_folder(void);

/* See table_restart_wanted. */
void watch_want_restart(const char *path);

#endif
