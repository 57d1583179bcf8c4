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
 * its size on. Who removes the lock of a program that died amid that cuts the
 * part of a message off again, if nobody has written behind it: the message
 * is still in the queue. To be taken back when it is whole, before anybody is
 * told of it. Nothing happens where there is no lock (-1).
 */
void mbox_dotlock_appends(int lock, const struct stat *mailbox);
void mbox_dotlock_appended(int lock);

/*
 * One attempt at those of MBOX_FCNTL and MBOX_FLOCK, for writing. 0, or -1
 * with errno: EAGAIN when somebody has one. They end with the descriptor.
 */
int mbox_kernel_lock(int fd, unsigned int locks);
void mbox_kernel_unlock(int fd, unsigned int locks);

#endif
