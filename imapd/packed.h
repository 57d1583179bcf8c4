/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_PACKED_H
#define IMAPD_PACKED_H

/*
 * Numbers, texts and sets in few bytes, for what a parked session leaves:
 * parked_state.h has the whole, context.h and notify.h parts of it.
 *
 * What is read may be anything: a reader that came upon something else goes
 * on with zeros, and says so at the end.
 */

#include "lib/store/uid_set.h"

/* Seven bits in each byte, the lowest first. */
void packed_put_number(struct buf *out, uint64_t n);
void packed_put_text(struct buf *out, struct span text);
/* Its ranges, each by its distance from the one before. */
void packed_put_set(struct buf *out, const struct uid_set *s);

struct packed {
	struct span rest;
	bool bad;
};

/* 0 where there is none, or one above "most". */
uint64_t packed_number(struct packed *p, uint64_t most);
/* Points into what is read. */
struct span packed_text(struct packed *p);
/* To an empty set. */
void packed_set(struct packed *p, struct uid_set *out);
/* Was all there, and nothing else? */
bool packed_end(const struct packed *p);

#endif
