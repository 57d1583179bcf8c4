/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_FOLDER_TREE_H
#define LIB_STORE_MAIL_FOLDER_TREE_H

/*
 * The directories of an account and the small files beside them, without any
 * index: which folders there are, their making and unmaking, subscriptions,
 * metadata. For lib/store and postmailbox.
 *
 * Files of its own in the root (or in CONTROL=): posthaste-tree.lock (held
 * with flock(2) while the tree changes), posthaste-renames (a rename of
 * several directories that is under way), posthaste-metadata. What is removed
 * goes to tmp/posthaste-removed.* first, so that it goes at once.
 * doc/STORE.md has the formats.
 */

#include "lib/store/mail_account.h"
#include "lib/store/mail_account_location.h"

struct mail_metadata;

/* Tells a file that was replaced or changed; zeroed: there is none. */
struct file_stamp {
	uint64_t device, inode, size;
	int64_t seconds, nanoseconds;
};

/* One line of "subscriptions". */
struct subscription {
	char *line; /* as it stands there */
	char *name; /* NULL: not one that we can tell */
};

struct subscriptions {
	struct file_stamp stamp;
	struct subscription *all;
	size_t count;
	bool first_version;
};

struct mail_tree {
	struct mail_location at;
	int base; /* where its paths begin: a directory, or AT_FDCWD */
	int root; /* where the folders are */
	int inbox; /* may be the root's number */
	int control; /* may be the root's number */
	int lock; /* -1: not held */
	unsigned int locked; /* nested */
	struct subscriptions subscriptions;
	struct mail_metadata *metadata;
	char *found; /* the name that mail_folder_find told last */
	bool removed; /* something waits for mail_tree_sweep */
	bool inbox_alone; /* an mbox: there are no other folders */
	const char *shared; /* level of others' folders; NULL or empty: none */
};

/*
 * Opens, makes what is missing of it (with "create"), and ends what a killed
 * process had begun. "at" is taken over, also when it fails; its relative
 * paths begin in the directory "base" (or AT_FDCWD), which stays the caller's
 * and open.
 */
enum mail_result mail_tree_open(int base, struct mail_location *at,
    char separator, bool create, struct mail_tree *out, struct why *why);
void mail_tree_close(struct mail_tree *t);
/* MAIL_FAILED or MAIL_IN_USE with *why. Nested calls are fine. */
enum mail_result mail_tree_lock(struct mail_tree *t, struct why *why);
void mail_tree_unlock(struct mail_tree *t);

enum mail_place_kind {
	PLACE_NONE, /* no directory, but it may have children */
	PLACE_PARENT, /* a directory that only has children (LAYOUT=fs) */
	PLACE_FOLDER,
};

/* Where a name is, or would be made. */
struct mail_place {
	char *name; /* as it is kept */
	char *path; /* below the root; "" is INBOX's own directory */
	enum mail_place_kind kind;
};

/* MAIL_OK also where there is nothing yet; MAIL_BAD_NAME, then *out is
 * empty. */
enum mail_result
mail_place_find(struct mail_tree *t, struct span name, struct mail_place *out);
void mail_place_fini(struct mail_place *p);

/* A folder's directories, open for reading; close both. */
struct mail_directories {
	int mail; /* with cur, new and tmp in it, made where missing; of an
		   * mbox what we keep of it */
	int control; /* of dovecot-uidlist, with CONTROL=; else -1 */
};

enum mail_result mail_place_open(struct mail_tree *t,
    const struct mail_place *p, struct mail_directories *out, struct why *why);
/* Where Dovecot's lists of a folder are, below CONTROL=: INBOX has one too. */
const char *mail_tree_control_path(const struct mail_tree *t, const char *path);
void mail_directories_close(struct mail_directories *d);

/* All that exists, sorted, INBOX first; names are those of mail_folder. */
struct mail_folder_list {
	struct arena *memory;
	struct mail_folder *all;
	size_t count, room;
	/* directories that can be no folders, for who asks (NULL else) */
	void (*odd)(void *with, const char *path);
	void *odd_with;
	const struct mail_tree_visitor *visitor; /* instead of a list */
};

enum mail_result mail_tree_list(struct mail_tree *t,
    struct mail_folder_list *out, struct why *why);
void mail_folder_list_fini(struct mail_folder_list *l);
/*
 * The folders' directories alone, as they are met: in no order, INBOX's own not
 * among them. Nothing is kept, and no other file is read. MAIL_FAILED with
 * *why.
 */
struct mail_tree_visitor {
	/* another one, of whatever kind, is to be read; false: it is not */
	bool (*entry)(void *with);
	void (*folder)(void *with, const char *path); /* below the root */
	void *with;
};
enum mail_result mail_tree_visit(struct mail_tree *t,
    const struct mail_tree_visitor *visitor, struct why *why);
/* Has it others below it? */
bool mail_tree_has_children(struct mail_tree *t, const struct mail_place *p);

/* mail_folder_create and so on, on disk. All take the lock. */
enum mail_result
mail_tree_create(struct mail_tree *t, struct span name, struct why *why);
enum mail_result
mail_tree_remove(struct mail_tree *t, struct span name, struct why *why);
/* Not INBOX. "from" need not be a folder if it has children. */
enum mail_result mail_tree_rename(struct mail_tree *t, struct span from,
    struct span to, struct why *why);
/* Ends a rename of several directories that a killed process began. */
enum mail_result mail_tree_rename_redo(struct mail_tree *t, struct why *why);
/*
 * Removes what lies in tmp/posthaste-removed.*, at most so many files at a
 * time that nobody waits for long. False: there is more.
 */
bool mail_tree_sweep(struct mail_tree *t);
/*
 * For a new folder: the time, or one more than the last one given in this
 * account (also by Dovecot, as far as it says). Not flushed: a power cut may
 * lose it, but then time has gone on.
 */
uint32_t mail_tree_new_uidvalidity(struct mail_tree *t);
/*
 * A folder came or went: what is above its path below the root is durable
 * then, and no cache of Dovecot's says otherwise. 0, or -1 with errno.
 */
int mail_tree_flush(struct mail_tree *t, const char *path);
/*
 * Makes the folder at this place, with its parents; the lock is held. For
 * what is there already nothing is done.
 */
enum mail_result
mail_tree_make(struct mail_tree *t, struct mail_place *p, struct why *why);

/* Reads the file again if it changed. */
enum mail_result mail_subscriptions_read(struct mail_tree *t, struct why *why);
bool mail_subscriptions_has(const struct mail_tree *t, const char *name);
enum mail_result mail_subscriptions_set(struct mail_tree *t, struct span name,
    bool subscribed, struct why *why);
void mail_subscriptions_fini(struct subscriptions *s);

/*
 * Where folders are mbox files: a regular file is a folder, a directory a
 * parent. What is ours is in MBOX_DIRECTORY, below that under a folder's path
 * its state, journal, keywords.
 */
#define MBOX_DIRECTORY ".posthaste"
enum mail_place_kind
mail_tree_mbox_kind(const struct mail_tree *t, const char *path);
/* Is the entry of a directory, "top": of the root, none of the mail's? */
bool mail_tree_mbox_skips(const char *name, bool top);
/* Parents are there. 0, or -1 with errno. */
int mail_tree_mbox_make(struct mail_tree *t, const char *path, bool folder);
int mail_tree_mbox_remove(struct mail_tree *t, const struct mail_place *p);

/* Small durable files: tmp, fsync, rename, fsync of the directory. */
int mail_file_replace(int directory, const char *name, struct span text);
/* The stamp of a file, zeroed where there is none. */
void mail_file_stamp(int directory, const char *name, struct file_stamp *out);
bool mail_file_same(const struct file_stamp *a, const struct file_stamp *b);
/* A regular file whole; 0, or -1 with errno (ENOENT: none). */
int mail_file_read(int directory, const char *name, struct buf *out,
    struct file_stamp *stamp);

#endif
