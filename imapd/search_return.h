/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_RETURN_H
#define IMAPD_SEARCH_RETURN_H

/*
 * What a search is to answer: RETURN (...) of ESEARCH (RFC 4731, RFC 9051),
 * SEARCHRES (RFC 5182), CONTEXT (RFC 5267), PARTIAL (RFC 9394); and the
 * answer, an untagged ESEARCH.
 */

#include "imapd/session.h"

enum search_option {
	RETURN_MIN = 1 << 0,
	RETURN_MAX = 1 << 1,
	RETURN_COUNT = 1 << 2,
	RETURN_ALL = 1 << 3,
	RETURN_PARTIAL = 1 << 4,
	RETURN_SAVE = 1 << 5,
	RETURN_CONTEXT = 1 << 6, /* a hint: nothing depends on it */
	RETURN_UPDATE = 1 << 7,
};

struct search_return {
	bool given;
	unsigned int options; /* enum search_option; never none when given */
	/* PARTIAL: as asked, and in order; counted from the end if "last" */
	uint32_t first_asked, last_asked, low, high;
	bool last;
};

/*
 * Takes "RETURN (...)" off the front of *args, if it is there. False: *error
 * is for BAD.
 */
bool search_return_parse(const struct imap_arg **args, size_t *count,
    struct search_return *out, const char **error);
/*
 * Are the first or the last ones enough to answer with? Then how many (0: all
 * are needed), and which.
 */
uint64_t search_return_most(const struct search_return *r, bool *backward);
/* Of "n" results, those of PARTIAL: from *from (0 is the first), *count. */
void search_return_partial(const struct search_return *r, uint64_t n,
    uint64_t *from, uint64_t *count);
/* "1:500" or "-1:-100", as asked. */
void search_return_range(const struct search_return *r, struct buf *out);

#endif
