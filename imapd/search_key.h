/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_KEY_H
#define IMAPD_SEARCH_KEY_H

/*
 * What is searched for: the keys of SEARCH, SORT, THREAD and ESEARCH, as a
 * tree. RFC 9051 section 6.4.4, RFC 3501; RFC 5032 (WITHIN), 5182
 * (SEARCHRES), 7162 (MODSEQ), 8474 (OBJECTID), 8514 (SAVEDATE).
 *
 * Negations are moved to the leaves, nested ORs and lists of one kind are
 * one node, children are in order of their cost. So evaluation is quick, and
 * its depth is that of real alternation, which is limited; so are the keys.
 * Parsing needs no recursion and takes linear time.
 *
 * A program is of no mailbox yet: names of keywords, "*" and message numbers
 * are looked up when it runs (search_run.h). It keeps nothing of the
 * command's memory.
 */

#include "lib/base/mem.h"
#include "lib/imap/imap_read.h"

enum {
	SEARCH_KEYS_MAX = 2000,
	SEARCH_DEPTH_MAX = 100,
	SEARCH_TEXT_MAX = 8192, /* bytes of a string */
};

enum search_kind {
	SEARCH_AND,
	SEARCH_OR,
	/* leaves, the quickest first */
	SEARCH_ALL,
	SEARCH_FLAGS, /* any of "flags" */
	SEARCH_KEYWORD, /* "name" */
	SEARCH_RECENT,
	SEARCH_NUMBERS, /* "name" is the set as written: message numbers */
	SEARCH_UIDS, /* the same: UIDs */
	SEARCH_SAVED, /* "$" */
	SEARCH_MODSEQ, /* at least "number" */
	SEARCH_LARGER,
	SEARCH_SMALLER,
	SEARCH_EMAIL_ID,
	SEARCH_SINCE, /* internal date not before "number", seconds */
	SEARCH_BEFORE, /* internal date before "number", seconds */
	SEARCH_SAVED_SINCE,
	SEARCH_SAVED_BEFORE,
	SEARCH_SENT_SINCE, /* day of the Date field, not before "number" */
	SEARCH_SENT_BEFORE,
	SEARCH_THREAD_ID, /* "name" */
	SEARCH_HEADER, /* field "name" has "text" */
	SEARCH_BODY,
	SEARCH_TEXT,
};

struct search_key {
	enum search_kind kind;
	bool negated; /* leaves only */
	struct search_key *first; /* children; of AND and OR */
	struct search_key *next; /* sibling */
	size_t leaf; /* which leaf of the program it is, from 0 */
	uint32_t flags;
	uint64_t number;
	struct span name; /* field names in upper case */
	struct span text; /* folded (lib/mail/collate.h) */
};

struct search_program {
	struct arena *arena;
	struct search_key *root;
	struct search_key **leaves;
	size_t count; /* of leaves */
	/* What its leaves look at. */
	bool modseq; /* the answer tells the highest one (RFC 7162) */
	bool headers, bodies;
	bool moves; /* it means something else tomorrow (OLDER, YOUNGER) */
};

enum search_parsed {
	SEARCH_OK,
	SEARCH_BAD, /* *error says */
	SEARCH_LIMIT, /* too much of it: NO [LIMIT], *error says */
	SEARCH_CHARSET, /* NO [BADCHARSET] */
};

/*
 * All "count" arguments are keys. Strings are in this character set ("":
 * US-ASCII, or UTF-8). "now": seconds since 1970.
 */
enum search_parsed
search_parse(const struct imap_arg *args, size_t count, struct span charset,
    int64_t now, struct search_program **out, const char **error);
/* NULL is fine. */
void search_program_free(struct search_program **p);

static inline bool
search_is_leaf(const struct search_key *k)
{
	return k->kind > SEARCH_OR;
}

#endif
