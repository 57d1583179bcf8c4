/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILBOX_COPY_JOURNAL_H
#define LIB_STORE_MAILBOX_COPY_JOURNAL_H

/*
 * So that several messages enter a folder all or not at all, also when the
 * process is killed in between: "posthaste-arriving" in the account's root
 * says which files are about to appear in a folder's cur, and for a move
 * where they came from. It is written before the first of them appears, and
 * removed when all are there, which makes it so. Whoever finds it removes, or
 * moves back, what it names.
 *
 *	posthaste-arriving 2
 *	boot	9d0ad5a3-...
 *	to	.Trash
 *	from		(INBOX)
 *	copy	NAME
 *	move	NAME	cur/OLDNAME
 *	end
 *
 * It is not flushed: it is for killed processes. What a power cut leaves of a
 * copy that nobody was told of may be a part of it; and where directories are
 * not written in the order of their changes the journal of one that was told
 * may be there again. So that of another boot is removed, and nothing else.
 *
 * The index's write transaction is the lock: there is one at a time.
 */

#include "lib/store/mailbox_internal.h"

struct arriving {
	struct mail_account *account;
	int fd; /* -1: none */
	struct buf text; /* not written yet */
	int error; /* why it could not be written; 0: it was */
};

/* "from" NULL: what comes is new, or copied. */
void
arriving_begin(struct arriving *j, struct mailbox *to, struct mailbox *from);
void arriving_add(struct arriving *j, const char *name, const char *old);
/* All is named: files may appear. False: errno says, and nothing was begun. */
bool arriving_ready(struct arriving *j);
/*
 * One more, when files appear already: another name for what was named. False
 * with errno: it may not appear.
 */
bool arriving_amend(struct arriving *j, const char *name, const char *old);
/* All is there. False with errno: then it is undone. */
bool arriving_done(struct arriving *j);
/* What it names goes, or goes back, even after arriving_done. */
void arriving_undo(struct arriving *j);
/*
 * Behind a move back to "cur/NAME" or "new/NAME" of this folder: where that may
 * be lost otherwise, it is flushed.
 */
void arriving_settle(int folder, const char *old);
/* At last, after either. */
void arriving_end(struct arriving *j);
/*
 * In a write transaction that has just begun: whoever wrote a journal is dead.
 * Undoes it, before anything is looked at.
 */
void arriving_heed(struct mail_account *a);
/* When an account is opened: undoes what a killed process began. */
void arriving_recover(struct mail_account *a);

#endif
