/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_RUN_H
#define IMAPD_SEARCH_RUN_H

/*
 * Runs a search over a mailbox: what the index knows first (flags, keywords,
 * numbers, for a block of messages at once), then dates and sizes, then what
 * is kept of headers, then signatures of texts, and only then files; header
 * first, then the rest. For each message it stops as soon as the answer is
 * known, and for all of them as soon as enough were found.
 *
 * Memory goes with the answer, not with the mailbox. A long search lets other
 * connections run; so what the mailbox holds may change meanwhile: messages
 * that went are not found.
 */

#include "imapd/search_key.h"
#include "lib/store/mailbox_view.h"

struct search_scope {
	struct mailbox *mailbox;
	const struct mailbox_view *view; /* numbers are of this */
	const struct uid_set *saved; /* "$"; NULL: empty */
	/* Only these; NULL: all of the view. */
	const struct uid_set *among;
	/* The last ones first, no more than "most" (0: all). */
	bool backward;
	uint64_t most;
	/*
	 * Called now and then, with how many of how many were looked at, in
	 * place of letting others run; it may send. False ends the search.
	 */
	bool (*progress)(void *with, uint64_t done, uint64_t of);
	void *with;
};

/*
 * A set of message numbers as written, to those that the view has; it may be
 * beyond them.
 */
void search_numbers(const struct mailbox_view *v, struct span text,
    struct uid_set *numbers);
/* Adds what is found, UIDs. */
enum mail_result search_run(const struct search_program *p,
    const struct search_scope *scope, struct uid_set *found, struct why *why);

#endif
