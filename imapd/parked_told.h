/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_PARKED_TOLD_H
#define IMAPD_PARKED_TOLD_H

/*
 * What the client of a parked session was told of other mailboxes than the
 * selected one (NOTIFY): which there are, and what is in those that it wants
 * to hear of. Some twenty bytes for each: of a name what differs from the one
 * before, of numbers the distance.
 */

#include "imapd/packed.h"

struct parked_folder {
	struct span name;
	bool exists, selectable, subscribed;
	bool watched; /* then: */
	uint32_t uidvalidity, uidnext, messages;
	uint64_t modseq;
};

enum { PARKED_NAME_MAX = 65536 };

/* Begins zeroed, but for "out" or "rest". */
struct parked_told {
	struct buf *out; /* of who writes */
	struct packed in; /* of who reads */
	struct buf name; /* the last one */
	uint64_t uidvalidity, modseq;
};

void parked_told_put(struct parked_told *t, const struct parked_folder *f);
/* The name lives until the next call. False: the end, or t->in.bad. */
bool parked_told_next(struct parked_told *t, struct parked_folder *out);
void parked_told_fini(struct parked_told *t);

#endif
