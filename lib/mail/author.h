/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_AUTHOR_H
#define LIB_MAIL_AUTHOR_H

/*
 * Who a message says it is from, and whose that name is: what From: and its
 * kin are compared with when their sender has logged in.
 *
 * A list of addresses (RFC 5322 section 3.6.2, groups as RFC 6854 has them) is
 * read by more programs than ours, and not all read alike: so this is no
 * lenient reader. What two readers could take for two addresses is not
 * understood, or both are told.
 */

#include "lib/base/span.h"

/* How far; of several the greatest counts. */
enum author_match {
	AUTHOR_ANY, /* nobody asks */
	AUTHOR_WARN_KNOWN, /* the same two, for the log alone */
	AUTHOR_WARN_ALL,
	AUTHOR_KNOWN, /* addresses with owners must be the login's */
	AUTHOR_ALL, /* every address must be */
};

/* Unquoted form, UTF-8, no control bytes; valid during the call. */
typedef void author_visit(void *with, struct span address);

/*
 * Visits each address of the field's value. Of display names, which are free
 * text, nothing counts but what stands there without quotes as if it were an
 * address ("a@b <c@d>"). False: there is none, or something that is none in
 * all eyes, such as an encoded word in an address (RFC 2047 section 5).
 */
bool author_each(struct span value, author_visit *visit, void *with);

/*
 * Of a field that was not understood: no reader finds anybody in it, and what
 * completes addresses finds nothing to complete: free text ("Scanner, 2nd
 * floor" is two addresses). An "@" anywhere, or an encoded word, which may
 * have one, and nobody can tell.
 */
bool author_names_nobody(struct span value);

/* Is the login one of these owners, as smtpd_sender_login_maps lists them? */
bool author_owners_have(const char *owners, const char *login);

#endif
