/* SPDX-License-Identifier: ISC */
#ifndef MASTER_ACCESS_CHECK_H
#define MASTER_ACCESS_CHECK_H

/* Values of access tables that smtpd would answer with 451 4.3.5. */

#include "lib/base/buf.h"

/* The tables that were judged: all zero at first. */
struct access_checked {
	char **paths;
	size_t count;
};

/*
 * A line in *warnings for each value that begins with no action; is_known
 * says what else it may begin with: restrictions and their classes. Of many
 * in one table the first are told, and how many more there are. A table that
 * two lists name is complained of once.
 */
void access_check(struct access_checked *checked, struct span spec,
    bool (*is_known)(void *with, struct span word), void *with,
    struct buf *warnings);
void access_checked_fini(struct access_checked *checked);

#endif
