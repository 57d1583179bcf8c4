/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_DESTINATIONS_H
#define LOCAL_DESTINATIONS_H

/*
 * The right-hand side of an alias, an include file, or a .forward file: a
 * list, separated by commas and line ends, of addresses, |commands, /files
 * and :include:/files, each in double quotes if it holds separators.
 * Text behind # at the start of a line is a comment. Pure.
 */

#include "lib/base/buf.h"

enum destination_kind {
	DESTINATION_ADDRESS, /* user or user@domain, unquoted form */
	DESTINATION_DIRECT, /* \user: the mailbox, no aliases, no .forward */
	DESTINATION_COMMAND, /* text behind the bar */
	DESTINATION_FILE, /* absolute path */
	DESTINATION_INCLUDE, /* absolute path behind :include: */
	DESTINATION_BAD, /* cannot be understood */
};

/*
 * Takes the next one off *rest; its text goes to *out (emptied before).
 * False at the end.
 */
bool destinations_next(struct span *rest, enum destination_kind *kind,
    struct buf *out);
/* How many there are; counts no further than "most". */
size_t destinations_count(const char *text, size_t most);

#endif
