/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_STATUS_FILTER_H
#define LIB_MAIL_STATUS_FILTER_H

/*
 * delivery_status_filter: a site's table has the last word on the code and the
 * text of an outcome, and on whether what failed is tried again. It cannot
 * make a failure of a success, nor the reverse: mail would be lost, or would
 * come again for ever.
 */

#include "lib/base/buf.h"
#include "lib/base/why.h"

enum { STATUS_FILTER_KEY_MAX = 1024 }; /* what is longer is cut */

/* What the table is asked: "5.1.1 text". */
void status_filter_key(const struct why *why, struct buf *key);
/*
 * The table's answer, in the same form, or the code alone. False, with a
 * warning that names the setting, where it is not valid; *v and *why are then
 * as they were.
 */
bool status_filter_take(const char *setting, struct span answer,
    enum verdict *v, struct why *why);

#endif
