/* SPDX-License-Identifier: ISC */
#ifndef LIB_IMAP_IMAP_PARSE_H
#define LIB_IMAP_IMAP_PARSE_H

/*
 * From the pieces of a command, lines and literals, to its tree. Knows no
 * stream: imap_read.c brings the pieces. Used by it alone, and by tests.
 */

#include "lib/base/buf.h"
#include "lib/imap/imap_read.h"

struct imap_parse {
	struct arena *arena; /* for texts and lists; the caller's */
	const struct imap_limits *limits;
	/*
	 * The arguments of all lists that are open, one behind the other. An
	 * open list is there as well: its count is then the place of the one
	 * around it.
	 */
	struct imap_arg *stack;
	size_t used;
	size_t room;
	size_t open; /* place of the innermost open list, plus one; 0: none */
	unsigned int depth;
	unsigned int outer; /* lists that were open at the last pause */
	size_t args;
	bool after_value; /* a space or ")" has to come first */
	bool in_section; /* "BODY[HEADER.FIELDS (", a literal comes */
	struct buf section;
	const char *error; /* why it was false */
};

void imap_parse_init(struct imap_parse *p, struct arena *arena,
    const struct imap_limits *limits);
void imap_parse_fini(struct imap_parse *p);
/*
 * A line without its end, or what of it stands before a literal. Texts of
 * the tree point into it, and it is changed (quoted strings).
 */
bool imap_parse_line(struct imap_parse *p, struct span line, bool literal);
bool imap_parse_literal(struct imap_parse *p, struct span text, bool binary);
/* The end of the command. */
bool imap_parse_end(struct imap_parse *p, const struct imap_arg **args,
    size_t *count);
/*
 * A literal that is not read: the tree so far, with it as the last. What
 * follows is parsed as a continuation, its texts in this arena.
 */
bool imap_parse_pause(struct imap_parse *p, const struct imap_arg *pending,
    const struct imap_arg **args, size_t *count);
void imap_parse_resume(struct imap_parse *p, struct arena *arena);

#endif
