/* SPDX-License-Identifier: ISC */
#ifndef MASTER_OPTIONS_CHECK_H
#define MASTER_OPTIONS_CHECK_H

/*
 * An -o of master.cf for what lookup does, which does it for all services
 * alike: an error where Postfix's program of that name would heed it, else a
 * warning.
 */

#include "lib/conf/master_cf.h"

void options_check(const struct master_entry *e, struct buf *errors,
    struct buf *warnings);

#endif
