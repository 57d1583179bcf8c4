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
void table_check_later(struct conf *c, const char *setting, struct span spec);
/*
 * Looks at all that are remembered, and forgets them: can they be opened, and
 * are their files understood? Servers are asked within TABLE_TRY_MS for all of
 * them, as table_user, or server_user for accounts; one that cannot be had is a
 * warning. What a server answers (a wrong question, a wrong password) is an
 * error to a person who asks, and no reason not to start: mail of that table
 * waits, and all other mail would wait as well. The same holds for names that a
 * table's file should not have; unknown_parameters = warn makes them warnings.
 * False with lines in *errors.
 */
enum table_check_how {
	TABLE_CHECK_FILES, /* reload: no server is asked */
	TABLE_CHECK_START,
	TABLE_CHECK_ALL, /* `posthaste check` */
};
enum { TABLE_TRY_MS = 15000 };
bool table_check_servers(struct conf *c, enum table_check_how how,
    struct buf *errors, struct buf *warnings);

#endif
