/* SPDX-License-Identifier: ISC */
#ifndef LIB_IMAP_IMAP_DATE_H
#define LIB_IMAP_IMAP_DATE_H

/*
 * Dates of IMAP (RFC 9051 section 9: date, date-time). Pure.
 */

#include "lib/base/span.h"

/* "17-Jul-1996 02:44:25 -0700", to seconds since 1970. */
bool imap_date_time_parse(struct span text, int64_t *seconds);
/* "1-Feb-1994", to days since 1970. */
bool imap_date_parse(struct span text, int64_t *days);

enum { IMAP_DATE_MAX = 64 };
/*
 * The first form, without quotes, "east" seconds east of UTC. Years that four
 * digits cannot hold become the nearest that they can.
 */
void imap_date_time_text(int64_t seconds, long east, char out[IMAP_DATE_MAX]);

#endif
