/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_DELIVER_H
#define LIB_STORE_MBOX_DELIVER_H

/*
 * Delivery into a file with one message after the other, locked as the other
 * mail programs of the machine do it. A failed delivery leaves the file as
 * long as it was, or locked where that cannot be (mbox_lock.h).
 *
 * Hostile file systems: the file is opened without following a link at its
 * end and without waiting for a FIFO, and everything is checked on the open
 * descriptor: a regular file, one link, the right owner. Call it with the
 * rights of the recipient.
 */

#include "lib/base/why.h"
#include "lib/store/deliver_copy.h"
#include "lib/store/mbox_lock.h"

struct mbox_options {
	unsigned int locks; /* enum mbox_lock */
	int64_t attempts; /* at each lock */
	int64_t delay_s; /* between them */
	int64_t stale_s; /* dot-locks older than this are removed */
	off_t limit; /* of the file; 0: none */
	bool owner_only; /* the file must belong to "owner" */
	uid_t owner;
	/*
	 * "|file" of aliases may be /dev/null and the like: what is no regular
	 * file is written to without locks.
	 */
	bool any_type;
	const char *sender; /* for the From line; "" is MAILER-DAEMON */
	const char *subject; /* "mailbox" or "file", for messages */
};

/*
 * Appends to the file "name" in the directory "at" (as openat(2) has it;
 * "shown" is its whole name for messages). It is made, 0600, if missing.
 */
enum verdict mbox_deliver(int at, const char *name, const char *shown,
    const struct deliver_source *s, const struct mbox_options *o,
    struct why *why);

#endif
