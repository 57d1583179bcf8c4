/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_TABLE_CHECK_H
#define LIB_TABLE_TABLE_CHECK_H

/* Are the tables of the settings such that they can be opened? */

#include "lib/conf/conf.h"

/*
 * False, with a line for each in *errors, for unknown types and bad syntax.
 * A file that is set in main.cf and missing is a warning: it may come, and
 * until then mail waits. No table on disk is read. warnings may be NULL.
 * Tables of servers are only remembered: table_check_servers.h.
 */
bool
table_check_settings(struct conf *c, struct buf *errors, struct buf *warnings);
/* The same for one "type:name" in the value of a setting. */
bool table_check_spec(struct conf *c, const char *setting, struct span spec,
    struct buf *errors, struct buf *warnings);

#endif
