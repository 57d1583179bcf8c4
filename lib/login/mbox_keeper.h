/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOGIN_MBOX_KEEPER_H
#define LIB_LOGIN_MBOX_KEEPER_H

/*
 * A user's mbox file, opened and dot-locked by a process of its own: the
 * keeper. It alone may enter the mailbox's directory; the process that talks
 * to the client gets an open file and has no rights there. The two talk in
 * single bytes.
 */

#include "lib/login/session_stage.h"
#include "lib/store/mbox_store.h"

struct mbox_keeping {
	const struct session_stage *stage;
	unsigned int locks; /* of lib/store/mbox_lock.h, as local has them */
	int64_t stale_s; /* age at which others' lock files go */
	const struct sandbox_filter *filter; /* of the keeper */
};

/* Where a user's process has what mbox_keeper_start gave it. */
enum { MBOX_KEEPER = SESSION_FD_1, MBOX_JOURNAL = SESSION_FD_2 };

/* mailbox_delivery_lock and stale_lock_time; fatal() when they are wrong. */
void mbox_keeper_setup(struct mbox_keeping *k,
    const struct session_stage *stage, struct conf *conf);

/*
 * As root, in the queue directory: opens the file for the mailbox's journal,
 * and for the lock that a session of POP3 holds, and forks the keeper, which
 * gives up all rights but the owner's in the mailbox's directory (and, in a
 * spool directory of root's to which root alone leads, its group: that is what
 * locking there takes).
 * For the start() of a stage. False with a log line.
 */
bool mbox_keeper_start(const struct mbox_keeping *k,
    const struct session_owner *owner, const char *path, int fds[SESSION_FDS],
    pid_t *keeper);

/*
 * The other end, in the user's process, for mbox_store_open and
 * mail_account_open; fds[] are at SESSION_FD_ABOVE by then. Lives as long as
 * the process.
 */
struct mbox_access *mbox_keeper_access(const struct mbox_keeping *k);

/*
 * Still as root: a directory of the owner's, for what is kept of an mbox that
 * is all of an account, to be entered by this descriptor: the way to it is not
 * root's alone. -1 with errno.
 */
int mbox_keeper_directory(const struct mbox_keeping *k,
    const struct session_owner *owner, const char *path);

#endif
