/* SPDX-License-Identifier: ISC */
#ifndef POP3D_MBOX_KEEPER_H
#define POP3D_MBOX_KEEPER_H

/*
 * A user's mbox file, opened and dot-locked by a process of its own: the
 * keeper. It alone may enter the mailbox's directory; the process that talks
 * to the client gets an open file and has no directory at all. The two talk
 * in single bytes.
 */

#include "lib/store/mbox_store.h"
#include "pop3d/session.h"

/* The file that "mbox:/path" or "mbox:/x:INBOX=/path" names; NULL: neither. */
char *mbox_path(const char *mail);

/*
 * As root, in the queue directory: the file for the mailbox's journal, and
 * for the lock that a session holds. -1 with a log line.
 */
int mbox_journal_open(const struct session_settings *settings,
    const struct session_owner *owner, const char *path);

/*
 * In a process that was just forked: gives up all rights but the owner's in
 * that directory (and, in a spool directory of root's, its group: that is
 * what locking there takes), and serves the other end of the socket until it
 * is closed.
 */
_Noreturn void mbox_keeper(const struct session_settings *settings,
    const struct session_owner *owner, const char *path, int fd);

/*
 * The other end, for mbox_store_open, whose calls wait in a task. Lives as
 * long as the process.
 */
struct mbox_access *mbox_keeper_access(const struct session_settings *settings,
    int fd, int journal);

#endif
