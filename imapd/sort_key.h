/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SORT_KEY_H
#define IMAPD_SORT_KEY_H

/*
 * What a message is sorted and threaded by (RFC 5256, RFC 5957), made of its
 * header once and kept beside it (CACHE_SORT). Texts are in the form in
 * which they are compared, and cut at SORT_TEXT_MAX bytes: beyond that they
 * are equal.
 *
 * Message ids are kept as hashes of 128 bits, normalized first. They are no
 * secret: somebody who forges ids to confuse a thread can do so in clear.
 *
 * A record is read like any input.
 */

#include "lib/base/buf.h"

enum {
	SORT_TEXT_MAX = 1000,
	SORT_REFERENCES_MAX = 1000, /* the last ones count */
};

struct message_id {
	uint64_t half[2]; /* both 0: none */
};

enum sort_text {
	SORT_TEXT_SUBJECT, /* base subject */
	SORT_TEXT_FROM, /* mailbox of the first address */
	SORT_TEXT_TO,
	SORT_TEXT_CC,
	SORT_TEXT_DISPLAY_FROM, /* name, else address */
	SORT_TEXT_DISPLAY_TO,
	SORT_TEXTS,
};

struct sort_key {
	int64_t sent; /* seconds since 1970, of the Date field */
	bool has_sent;
	bool reply; /* or forward */
	struct span text[SORT_TEXTS];
	struct message_id id;
	size_t references; /* oldest first */
	const char *packed; /* of those; see below */
};

void sort_key_make(struct span header, struct buf *record);
/* What is read lives as long as the record. False: it makes no sense. */
bool sort_key_read(struct span record, struct sort_key *out);
struct message_id sort_key_reference(const struct sort_key *k, size_t i);

static inline bool
message_id_same(struct message_id a, struct message_id b)
{
	return a.half[0] == b.half[0] && a.half[1] == b.half[1];
}

static inline bool
message_id_none(struct message_id a)
{
	return (a.half[0] | a.half[1]) == 0;
}

/* The hash of any text. */
struct message_id message_id_hash(struct span text);
/*
 * Takes text up to and with the next valid msg-id (RFC 5322 section 3.6.4)
 * off *rest, and gives its hash. False: there is none.
 */
bool message_id_next(struct span *rest, struct message_id *out);

#endif
