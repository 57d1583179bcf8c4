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
/*
 * What nobody wrote and Postfix does not do: a restriction that asks whose the
 * sender is refuses by the header as well (smtpd_from_login_match). A line for
 * each list: for who moves here, not for the log of each start.
 */
void restrictions_check_logins(struct conf *c, struct buf *advice);

#endif
