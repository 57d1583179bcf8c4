/* SPDX-License-Identifier: ISC */
#ifndef MASTER_RESTRICTIONS_CHECK_H
#define MASTER_RESTRICTIONS_CHECK_H

/*
 * smtpd answers 451 to whoever meets a restriction that does not exist, and
 * takes a network it cannot read for none: said before that happens.
 */

#include "lib/conf/conf.h"

/* A line for each mistake, as conf_check; warnings may be NULL. */
void restrictions_check_settings(struct conf *c, struct buf *errors,
    struct buf *warnings);

#endif
