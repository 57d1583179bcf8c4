/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_CONTEXT_H
#define IMAPD_CONTEXT_H

/*
 * Searches whose results are kept up to date: RETURN (UPDATE) of CONTEXT
 * (RFC 5267). They live as long as the mailbox is selected.
 *
 * What belongs to a selected mailbox's changes is told with them: those gone
 * before the EXPUNGE, since numbers are valid then; the others after the view
 * has been brought up to date. Only messages that changed are looked at.
 */

#include "imapd/search.h"
#include "imapd/sort.h"

enum {
	CONTEXTS_MAX = 10,
	CONTEXT_SORTED_MAX = 100000, /* results of a sorted one */
};

/* Is the tag that of a context? */
bool context_has(const struct imap_session *s, struct span tag);
/*
 * Keeps the search with what it found; "sort" NULL: in the mailbox's order.
 * False: refused, and the client is told (NOUPDATE). Takes r->program.
 */
bool context_begin(struct imap_session *s, struct search_request *r,
    const struct sort_program *sort, const struct uid_set *found);
/*
 * By imap_tell: before the changes are told, and when the view has them.
 * Cheap when there is no context.
 */
void contexts_before(struct imap_session *s, const struct mailbox_update *u);
void contexts_after(struct imap_session *s, const struct mailbox_update *u);
/*
 * Parking. False: there is more of them than can be written down. Empty where
 * there are none.
 */
bool contexts_write(const struct imap_session *s, struct buf *out);
/* Behind the mailbox and its view. False: these are none. */
bool contexts_again(struct imap_session *s, struct span text);
/* By imap_unselect, and at the end. */
void contexts_end(struct imap_session *s);

#endif
