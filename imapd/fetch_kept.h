/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_FETCH_KEPT_H
#define IMAPD_FETCH_KEPT_H

/*
 * The form of what FETCH keeps beside messages: a version, a checksum, and
 * the text as it is sent, so that a damaged index cannot break what clients
 * read.
 */

#include "lib/store/mailbox.h"

/* The text in it; false: there is none that is good. */
bool fetch_kept_open(struct span value, struct span *text);
/* Too long ones are not kept. */
void fetch_kept_put(struct mailbox *m, uint32_t uid, enum cache_slot slot,
    struct span text);

#endif
