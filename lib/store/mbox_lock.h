/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_LOCK_H
#define LIB_STORE_MBOX_LOCK_H

/*
 * Locks on mbox files, as the other mail programs of the machine have them:
 * NAME.lock beside the file, and the kernel's on the file itself.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/base/span.h"

enum mbox_lock { MBOX_FCNTL = 1, MBOX_FLOCK = 2, MBOX_DOTLOCK = 4 };

/* "fcntl, dotlock" as in mailbox_delivery_lock; false: an unknown word. */
bool mbox_locks_parse(const char *text, unsigned int *locks);

/*
 * One attempt at NAME.lock in the directory "at". What holds the lock, to be
 * given back; -1 with errno: EEXIST when somebody has it. Lock files of our own
 * programs on this machine are removed when these have died, others when they
 * are older than stale_s seconds.
 */
int mbox_dotlock_take(int at, const char *name, int64_t stale_s);
void mbox_dotlock_give_back(int at, const char *name, int *lock);
/*
 * Notes in the lock that a message is being appended to this mailbox, from
 * its size on, with these bytes first: of the separator's line all, and as
 * much of the message behind it as to tell it from others.
 *
 * Who removes the lock of a program that died amid that, or could not take it
 * back, cuts the part off again (it is still in the queue), and logs that. Only
 * what is beyond doubt that part is cut: under the same boot id, on the same
 * device and inode, behind the same bytes, beginning with those that were noted
 * or ending within them, nothing behind it that may be another's message, the
 * mailbox locked, the lock its owner's or root's. What cannot be cut off, and
 * should, keeps the lock and its note. For files in which all messages begin
 * with "From ". Nothing happens where there is no lock (-1).
 */
enum { MBOX_BEGIN_MAX = 4096 + 1024 };
void mbox_dotlock_appends(int lock, int mailbox, const struct stat *st,
    struct span begin);
/*
 * The message is whole: takes the note back, on disk too, before anybody is
 * told of it: with the flush of the mailbox, which must follow, where the file
 * system keeps the order of both, else here. 0, or -1 with errno.
 */
int mbox_dotlock_appended(int lock, int mailbox);

/*
 * One attempt at those of MBOX_FCNTL and MBOX_FLOCK, for writing. 0, or -1
 * with errno: EAGAIN when somebody has one. They end with the descriptor.
 */
int mbox_kernel_lock(int fd, unsigned int locks);
void mbox_kernel_unlock(int fd, unsigned int locks);

#endif
