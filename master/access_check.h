/* SPDX-License-Identifier: ISC */
#ifndef MASTER_ACCESS_CHECK_H
#define MASTER_ACCESS_CHECK_H

/* Values of access tables that smtpd would answer with 451 4.3.5. */

#include "lib/base/buf.h"

/*
 * A line in *warnings for each value that begins with no action; is_known
 * says what else it may begin with: restrictions and their classes. A table
 * that two lists name is complained of once.
 */
void
access_check(struct span spec, bool (*is_known)(void *with, struct span word),
    void *with, struct buf *warnings);

#endif
