/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_ASK_TABLES_H
#define LOCAL_ASK_TABLES_H

/*
 * Tables of servers (SQL, LDAP...) are lookup's to ask: this program is root,
 * and has no business with client libraries and what servers send them.
 */

#include "lib/table/table.h"

table_ask ask_tables;

#endif
