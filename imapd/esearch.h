/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_ESEARCH_H
#define IMAPD_ESEARCH_H

/*
 * Writes what was found, in pieces: an answer of a million numbers is never
 * whole in memory. Nothing of the store may be held.
 */

#include "imapd/session.h"

/* "* ESEARCH (TAG "a1")", and "UID" if the numbers are such. */
void esearch_begin(struct imap_session *s, struct span tag, bool uid);
/* The same of another mailbox (RFC 7377): always UIDs. */
void esearch_begin_in(struct imap_session *s, struct span tag,
    const char *mailbox, uint32_t uidvalidity);
/* "1:3,5". */
void esearch_set(struct imap_session *s, const struct uid_set *set);
/* The same of numbers in any order; runs that ascend become ranges. */
void
esearch_list(struct imap_session *s, const uint32_t *numbers, uint64_t count);
/* " 1 2 3 5" of SEARCH and SORT. */
void esearch_numbers(struct imap_session *s, const struct uid_set *set);
/* Members number "from" (0 is the first) and so on, of UIDs. Adds. */
void esearch_slice(const struct uid_set *set, uint64_t from, uint64_t count,
    struct uid_set *out);
/* What the client knows these as: itself, or message numbers. */
void esearch_known_as(const struct imap_session *s, bool uid,
    const struct uid_set *uids, struct uid_set *out);
/* Sends when a piece is full. */
void esearch_spill(struct imap_session *s);

#endif
