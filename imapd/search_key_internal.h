/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_KEY_INTERNAL_H
#define IMAPD_SEARCH_KEY_INTERNAL_H

/*
 * Between search_key.c, which makes the tree, and search_key_words.c, which
 * knows how each key is written.
 */

#include "imapd/search_key.h"

enum { SEARCH_PENDING_MAX = 2 * SEARCH_KEYS_MAX };

/*
 * An AND or OR that still wants keys. Lists read from their own arguments;
 * an OR reads from those of the list it stands in.
 */
struct search_pending {
	struct search_key *node;
	struct search_key **end; /* where the next child goes */
	const struct imap_arg *args; /* lists; NULL: an OR */
	size_t left; /* arguments, or keys of the OR */
	size_t source; /* the list where its arguments come from */
	bool negated;
};

struct search_parser {
	struct search_program *program;
	struct span charset;
	int64_t now;
	struct search_pending *stack;
	size_t depth;
	size_t nodes;
	const char *error;
	enum search_parsed result;
};

/* Each is false, and the parser's result says why. */
bool search_fail(struct search_parser *p, enum search_parsed result,
    const char *error);
bool search_bad(struct search_parser *p, const char *error);
/* NULL: there is none. */
const struct imap_arg *search_next_argument(struct search_parser *p);
/* A leaf where the parser is; NULL: too many. */
struct search_key *
search_add_leaf(struct search_parser *p, enum search_kind kind, bool negated);
/*
 * A node that takes the next "left" keys: those of the list "args", or, with
 * NULL, of the list where the parser is.
 */
bool search_push(struct search_parser *p, enum search_kind kind, bool negated,
    const struct imap_arg *args, size_t left);

/* A key's name, and what it takes from the arguments. */
bool search_word_read(struct search_parser *p, struct span atom, bool negated);

#endif
