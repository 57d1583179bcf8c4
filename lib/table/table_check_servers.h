/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_TABLE_CHECK_SERVERS_H
#define LIB_TABLE_TABLE_CHECK_SERVERS_H

/*
 * The part of table_check.h that is about tables of servers and loadable
 * modules. It is a child process that loads the modules and speaks to the
 * servers, so that master, which is root for as long as it lives, does
 * neither.
 */

#include "lib/conf/conf.h"

/* Remembers a table; the same one counts once. All texts are copied. */
void
table_check_later(const char *origin, const char *setting, struct span spec);
/*
 * Looks at all that are remembered, and forgets them: can they be opened, and
 * are their files understood? try_out: the servers are asked as well, within
 * TABLE_TRY_MS for all of them, with the identity of table_user; a wrong
 * question (or password) is an error, a server that cannot be had a warning.
 * False with lines in *errors.
 */
enum { TABLE_TRY_MS = 15000 };
bool table_check_servers(struct conf *c, bool try_out, struct buf *errors,
    struct buf *warnings);

#endif
