/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SORT_H
#define IMAPD_SORT_H

/*
 * Sorts messages (RFC 5256, display names by RFC 5957) by what is kept beside
 * them; those that have nothing yet are read once.
 *
 * Memory is 16 bytes for each message that is sorted, whatever its texts:
 * they are compared eight bytes at a time, and only those of messages that
 * are equal so far are looked at further.
 */

#include "imapd/session.h"
#include "imapd/sort_key.h"

enum sort_by {
	SORT_ARRIVAL,
	SORT_CC,
	SORT_DATE,
	SORT_DISPLAY_FROM,
	SORT_DISPLAY_TO,
	SORT_FROM,
	SORT_SIZE,
	SORT_SUBJECT,
	SORT_TO,
	SORT_KEYS,
};

struct sort_criterion {
	enum sort_by by;
	bool reverse;
};

struct sort_program {
	struct sort_criterion criteria[2 * SORT_KEYS];
	size_t count; /* a key that comes again changes nothing */
};

/*
 * Called now and then, with how many of how many messages were looked at, in
 * place of letting others run; it may send. False ends it. NULL: others run.
 */
struct sort_progress {
	bool (*tell)(void *with, uint64_t done, uint64_t of);
	void *with;
};

/* "(REVERSE DATE SUBJECT)". False: it is none. */
bool sort_parse(const struct imap_arg *a, struct sort_program *out);
/*
 * *order: UIDs, to be freed; equal ones in the mailbox's order. Those that
 * are gone meanwhile are left out. May wait for others to run.
 */
enum mail_result sort_run(struct mailbox *m, const struct sort_program *p,
    const struct uid_set *uids, const struct sort_progress *progress,
    uint32_t **order, uint64_t *count, struct why *why);

/*
 * Sees to it that the messages have their keys (CACHE_SORT): reads those that
 * have not. May wait for others to run.
 */
enum mail_result sort_keys_ready(struct mailbox *m, const struct uid_set *uids,
    const struct sort_progress *progress, struct why *why);
/*
 * The key of a message, valid while the mailbox is held; the sent date falls
 * back to the internal date (RFC 5256 section 2.2). False: it is gone.
 */
bool sort_key_of(struct mailbox *m, uint32_t uid, struct sort_key *out);

#endif
