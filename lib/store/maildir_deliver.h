/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILDIR_DELIVER_H
#define LIB_STORE_MAILDIR_DELIVER_H

/*
 * Delivery into a Maildir. A message appears in new/ complete and at once, by
 * rename(2), under a name never used before:
 *
 *	SECONDS.MmicrosecondsPpid_QUEUEID.host,S=size,W=size
 *
 * S is the file's size, W its size with CRLF line ends.
 */

#include <sys/stat.h>

#include "lib/base/why.h"
#include "lib/store/deliver_copy.h"
#include "lib/store/maildir_place.h"
#include "lib/store/maildir_size.h"

enum { MAILDIR_NAME_MAX = 255 };

/*
 * The Maildir "path" below the directory "base", O_PATH; with "create",
 * what is missing of it is made (0700) with the rights we have. -1 with
 * errno.
 */
int maildir_open(int base, const char *path, bool create);
/*
 * The same by an absolute path, made if missing, with the rights we have:
 * links in it may lead anywhere those rights reach.
 */
int maildir_open_path(const char *path);

/*
 * Is the account of this Maildir's "new" counted (maildir_size.h)? With any
 * rights.
 */
bool maildir_counted(const struct maildir_place *to);
/*
 * Takes room for a message of so many bytes (maildir_size_take), or gives the
 * verdict of a full mailbox; it is put off where others were quicker. As its
 * owner. The claim ends when the message has its name.
 */
enum verdict
maildir_take_room(int maildir, off_t bytes, const struct deliver_source *s,
    struct maildir_claim *claim, struct why *why);

/*
 * One copy on its way, in steps, so that several can be flushed together:
 * written, entered, flushed, ended. Plain data; the caller's memory.
 */
struct maildir_copy {
	int root, tmp, new; /* folders */
	int fd; /* the file */
	dev_t device;
	ino_t mailbox; /* the root's */
	off_t size; /* of the file */
	bool ordered; /* see maildir_copy_enter */
	bool full_bounces; /* see struct deliver_source */
	bool entered;
	char tmp_name[MAILDIR_NAME_MAX + 1];
	char name[MAILDIR_NAME_MAX + 1];
};

/*
 * Writes tmp/NAME, and begins to bring it to the disk. Refused when larger
 * than the limit (0: none), or when the account is full. As the mailbox's
 * owner. OK, or a verdict with *why, and then nothing is left of it.
 */
enum verdict maildir_copy_write(struct maildir_copy *c, int maildir,
    const struct deliver_source *s, enum deliver_form form, off_t limit,
    struct why *why);
/*
 * Waits until the disk has the bytes, takes room for it in the account, renames
 * the file into new/.
 * What is there after a power cut is whole: on ext4 and XFS ("ordered") the
 * journal has the file's length before its name, elsewhere it is synced here.
 * As the owner. OK, or a verdict; ended as not kept in any case by the caller.
 */
enum verdict maildir_copy_enter(struct maildir_copy *c, struct why *why);
/*
 * Makes it durable under its name. 0, or -1 with errno. With any rights. To
 * flush the file is to flush its name on those file systems (see the queue's
 * in doc/DURABILITY.md), elsewhere the folder is synced.
 */
int maildir_copy_flush(struct maildir_copy *c);
/*
 * Does its device still take changes, by which flushes are believed? Asked
 * behind them, of one copy for all on it (lib/base/file_system.h). False, with
 * errno. With the owner's rights.
 */
bool maildir_copy_device_lives(const struct maildir_copy *c);
/*
 * The same for all that were entered on this one's device, at the price of
 * whatever else is to be written there: worth it for many. False: it cannot
 * be had, has failed, or the device may have been given up meanwhile, of which
 * syncfs(2) says nothing on many kernels. With the owner's rights.
 */
bool maildir_copy_flush_device(const struct maildir_copy *c);
/* Takes back what is not to be kept (as the owner), and lets go of it. */
void maildir_copy_end(struct maildir_copy *c, bool keep);
/* The verdict of a flush that failed, by errno. */
enum verdict maildir_copy_failed(struct why *why);

/*
 * All of it at once, for one copy, as the mailbox's owner: one flush on ext4
 * and XFS, two elsewhere. OK, or a verdict with *why.
 */
enum verdict maildir_copy(int maildir, const struct deliver_source *s,
    enum deliver_form form, off_t limit, struct why *why);

enum maildir_move {
	MAILDIR_MOVED, /* the queue file is in new/ now */
	MAILDIR_NOT_MOVED, /* it is where and as it was: copy it */
};

/*
 * Moves the queue file itself, named "path" relative to the working
 * directory, into the folder, given to its owner, then cuts it after "size"
 * bytes. Only if it is the very file that s->fd is open on (for reading and
 * writing), and both are on one file system. One flush behind the rename and
 * one behind the cut, unless a cut that the power takes back with the rename
 * leaves all in the file (file_system_frees_late).
 *
 * In between the file is the owner's by user and still the queue's by group,
 * in a place only the queue can reach: a crash leaves a message that either
 * the queue manager or the owner can read. The rename is the commit; what a
 * crash leaves behind "size" is found by the reader and cut (the name has
 * S=size).
 */
enum maildir_move
maildir_move(const struct maildir_place *to, const struct deliver_source *s,
    const char *path, off_t size, uid_t uid, gid_t gid);
/* Whether that can be, for who takes room before. *st: of the file. */
bool
maildir_may_move(const struct maildir_place *to, const struct deliver_source *s,
    const char *path, off_t size, struct stat *st);

/*
 * After a crash in maildir_move the queue file may already belong to the
 * mailbox: the owner of its folder in the queue becomes its owner again, so
 * that it can be put off. For root; else, and for all other files, nothing.
 */
void maildir_move_undo(const char *folder, const char *path, int queue_fd);

#endif
