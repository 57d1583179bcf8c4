/* SPDX-License-Identifier: ISC */
#ifndef LOGD_TARGET_H
#define LOGD_TARGET_H

/*
 * Where the log goes: a file, standard output, or syslog. Opened with the
 * rights master has; what could not be written is counted and told later.
 */

#include "lib/conf/common.h"
#include "logd/line.h"

#define PARAM_GROUP logd
#define PARAM_DEF "logd/params.def"
#include "lib/conf/param.h"

/* fatal() when the file cannot be opened. "owner": its user, as root. */
void target_open(const struct common_params *common,
    const struct logd_params *params, const char *owner);
/* Takes one line; it is written at the next flush. */
void target_add(struct span raw, int64_t now_us);
void target_flush(void);
/* Was the file renamed or removed? Another logd must open it anew. */
bool target_moved(void);

#endif
