/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_MESSAGE_DATE_H
#define LIB_MAIL_MESSAGE_DATE_H

/*
 * The Date field of a message (RFC 5322 section 3.3, and the obsolete forms
 * of section 4.3), read as RFC 5256 section 2.2 wants it: a zone that is not
 * understood is UTC, a time that is not is midnight.
 */

#include "lib/base/span.h"

struct message_date {
	int64_t day; /* as written, days since 1970 */
	int64_t seconds; /* since 1970, UTC */
};

/* False when there is no date in it. */
bool message_date_parse(struct span value, struct message_date *out);

#endif
