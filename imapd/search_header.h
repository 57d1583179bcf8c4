/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_HEADER_H
#define IMAPD_SEARCH_HEADER_H

/*
 * Header fields in the form in which they are searched: unfolded, encoded
 * words decoded, folded for i;unicode-casemap. Kept beside the message
 * (CACHE_HEADER): those that clients ask for all the time, and those that
 * somebody asked for; so a search for them reads no message twice.
 *
 * A record is read like any input: it may be damaged. Whatever it holds,
 * reading it stays within it; one that makes no sense is as good as none.
 */

#include "lib/base/buf.h"

enum search_answer {
	SEARCH_NO = 0,
	SEARCH_YES = 1,
	SEARCH_UNKNOWN = -1,
};

enum {
	SEARCH_HEADER_MAX = 512 * 1024, /* what of a header is looked at */
	SEARCH_FIELDS_MAX = 16, /* more names in a record than the usual */
};

/*
 * Has a field of that name (upper case) this text in it? The empty text: is
 * there such a field? SEARCH_UNKNOWN: the record does not say.
 */
enum search_answer
search_header_has(struct span record, struct span name, struct span folded);
/*
 * The day of the Date field, days since 1970. False: the record does not
 * say; *none: there is no date.
 */
bool search_header_sent(struct span record, int64_t *day, bool *none);
/*
 * Makes a record of a whole header: with the usual names, these (upper case)
 * and those of the record there was.
 */
void search_header_record(struct span header, const struct span *names,
    size_t count, struct span old, struct buf *out);
/* The same answer from the header itself. */
bool
search_header_find(struct span header, struct span name, struct span folded);

#endif
