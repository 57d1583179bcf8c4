/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_ADDRESS_LIST_H
#define LIB_MAIL_ADDRESS_LIST_H

/*
 * Address lists of message headers, RFC 5322 section 3.4, with the obsolete
 * forms of section 4.4: groups, comments (nested), quoted names, routes,
 * blanks and folds anywhere.
 *
 * Positions are given as spans of the text, so that a header can be
 * rewritten by replacing just the addresses. Time is linear in the text.
 */

#include "lib/base/span.h"

struct listed_address {
	struct span whole; /* the mailbox, with its name and comments */
	/* what to replace for a new address: in brackets without them, or bare
	 */
	struct span spec;
	struct span name; /* display name as written, else the last comment */
	bool name_is_comment;
	struct span group; /* name of the group it is in, as written */
	/*
	 * Unquoted form, valid during the call. Empty for "<>". Without
	 * domain if none was written.
	 */
	struct span address;
};

/* False from visit ends the walk. */
typedef bool address_list_visit(void *with, const struct listed_address *a);

/*
 * Visits each address that can be understood. False when something could
 * not be (it is left out, the others are visited), or when visit said false.
 */
bool address_list_each(struct span text, address_list_visit *visit, void *with);

/*
 * The same, and tells where groups begin and end, those without members too:
 * the name as written, and p NULL at the end.
 */
typedef void address_list_group(void *with, struct span name);
bool address_list_walk(struct span text, address_list_visit *visit,
    address_list_group *group, void *with);

#endif
