/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_PARKED_STATE_H
#define IMAPD_PARKED_STATE_H

/*
 * What a session must know to go on where it was, in another process: who it
 * is, which mailbox it has selected, and up to where its client has been told
 * of changes to it. A few hundred bytes, kept by the session stage's parent
 * meanwhile, which does not look at them.
 */

#include "lib/base/buf.h"

struct parked_state {
	struct span user; /* whose */
	bool examined;
	bool compressed; /* COMPRESS=DEFLATE */
	uint32_t enabled; /* enum imap_enabled */
	struct span idle_tag; /* of the IDLE under way; empty: none */
	/* the selected mailbox; name empty: none */
	struct span name;
	struct span mailbox_id; /* MAILBOXID */
	uint32_t uidvalidity;
	uint32_t uidnext; /* as in struct mailbox_view */
	uint64_t modseq;
	uint64_t removals; /* not above modseq */
	uint32_t first_recent;
	uint32_t keywords_told; /* as in struct imap_session */
	uint32_t rights; /* the same */
	uint64_t received, sent; /* bytes so far */
	struct span notify; /* the request; empty: none */
	struct span told; /* with it: what of other mailboxes (notify.h) */
	struct span contexts; /* searches kept up to date (context.h) */
	struct span saved; /* "$", as a sequence set of UIDs; empty: none */
};

/* False: it is too long to be parked. */
bool parked_state_write(const struct parked_state *s, struct buf *out);
/* False for what parked_state_write has not made. Points into "bytes". */
bool parked_state_read(struct span bytes, struct parked_state *out);

#endif
