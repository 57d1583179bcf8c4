/* SPDX-License-Identifier: ISC */
#ifndef MASTER_SERVICES_CHECK_H
#define MASTER_SERVICES_CHECK_H

/*
 * Lines of master.cf that can be read and cannot work: told now, not with
 * the first mail.
 */

#include "lib/conf/common.h"
#include "lib/conf/master_cf.h"
#include "lib/service/programs.h"

/* warnings may be NULL. */
void services_check(const struct master_entry *e, const struct program *program,
    const struct common_params *common, struct buf *errors,
    struct buf *warnings);

#endif
