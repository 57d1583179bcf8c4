/* SPDX-License-Identifier: ISC */
#ifndef LIB_IMAP_IMAP_SET_H
#define LIB_IMAP_IMAP_SET_H

/*
 * Sequence sets of commands, "1:3,5,7:*" or "$" (RFC 9051 section 9).
 */

#include "lib/store/uid_set.h"

/*
 * "star" is the number that "*" stands for: the largest in use, UIDs or
 * message numbers; with 0 (an empty mailbox) "*" adds nothing, but for
 * "5:*" with UIDs above the star, which means the last one: that is 0 too.
 * False for what is no set. Clears *out first. "$" is not understood here.
 */
bool imap_set_parse(struct span text, uint32_t star, struct uid_set *out);
/*
 * Has it a number above "most", or "*" where that is 0? For message numbers,
 * which must exist.
 */
bool imap_set_beyond(struct span text, uint32_t most);

#endif
