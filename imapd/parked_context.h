/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_PARKED_CONTEXT_H
#define IMAPD_PARKED_CONTEXT_H

/* A search that is kept up to date, as a parked session leaves it. */

#include "imapd/packed.h"
#include "imapd/sort.h"

struct parked_context {
	struct span tag;
	bool uid; /* its client knows UIDs */
	/* the keys as they were written (arguments_text.h), and read then */
	struct span charset, keys;
	int64_t now;
	struct span numbers; /* what message numbers were: packed texts */
	struct uid_set saved; /* "$" */
	struct sort_program sort; /* no criteria: in the mailbox's order */
	struct uid_set found;
	uint32_t *order; /* of a sorted one: what was found */
	uint64_t count; /* of those */
};

void parked_context_write(const struct parked_context *c, struct buf *out);
/*
 * Spans point into what is read; sets and order are to be freed, also where
 * p->bad says that this was none.
 */
void parked_context_read(struct packed *p, struct parked_context *out);
void parked_context_fini(struct parked_context *c);

#endif
