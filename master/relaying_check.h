/* SPDX-License-Identifier: ISC */
#ifndef MASTER_RELAYING_CHECK_H
#define MASTER_RELAYING_CHECK_H

/*
 * Who may send through this site to others: lists of restrictions that let
 * everybody, or nobody, and words in them that are never asked. All of it is
 * legal, and hardly ever meant.
 */

#include "lib/conf/conf.h"

/* A line for each, as conf_check; "setting" is one of smtpd's lists. */
void
relaying_check_order(struct conf *c, const char *setting, struct buf *warnings);
/* Is the restriction in this list, or in a class there, and meant to act? */
bool relaying_check_has(struct conf *c, const char *setting,
    const char *restriction);
/* All that the settings say together. */
void relaying_check(struct conf *c, struct buf *warnings);

#endif
