/* SPDX-License-Identifier: ISC */
#ifndef PICKUP_DROP_RETURN_H
#define PICKUP_DROP_RETURN_H

/*
 * Returns a local submission that cleanup refuses for good (too large, in a
 * loop, without recipients) to its sender, as a report in the form of RFC
 * 3464. It never had a queue file, so this is not bounce's work.
 */

#include "lib/base/why.h"
#include "lib/conf/common.h"
#include "lib/queue/drop_file.h"

/* "fd": the maildrop file. OK: the report is queued. */
enum verdict drop_return(const struct common_params *common, const char *id,
    int fd, const struct drop_envelope *e, const char *dsn, const char *why);

#endif
