/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_STORE_H
#define LIB_STORE_MBOX_STORE_H

/*
 * mbox files behind the interface of store.h.
 *
 * The mailbox is locked against other programs only while it is listed and
 * while messages are removed. In between a change by somebody else is
 * noticed: messages are then found again by their digests, those that are
 * gone are STORE_GONE, and a text that changes while it is read ends with
 * ESTALE.
 *
 * No flags are kept.
 */

#include "lib/store/store.h"

/*
 * How the file is reached. Who opens it and makes lock files beside it may be
 * another process, so that the one that reads mail needs no rights in the
 * directory.
 */
struct mbox_access {
	/*
	 * Takes the dot-lock, once, and opens the file for reading and
	 * writing. -1 with errno: EAGAIN when it is locked, ENOENT when there
	 * is no mailbox (and then no lock is held).
	 */
	int (*open)(void *with);
	/* Gives the dot-lock back. */
	void (*unlock)(void *with);
	/* Makes an empty one, if there is none. -1 with errno. May be NULL. */
	int (*create)(void *with);
	void *with;
	unsigned int locks; /* of mbox_lock.h, those of the kernel */
	/*
	 * A file that belongs to this mailbox, for its journal (see
	 * mbox_rewrite.h); locked by the kernel while somebody has the
	 * mailbox for himself.
	 */
	int journal;
	bool busy; /* in this process; begins as false */
};

/*
 * As store_open. "access" must outlive the store. Waits some seconds for the
 * locks of other programs, then it is STORE_IN_USE.
 */
enum store_result mbox_store_open(struct mbox_access *access, bool exclusive,
    struct store **out, struct why *why);

#endif
