/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_TABLE_CLIENT_H
#define LIB_TABLE_TABLE_CLIENT_H

/*
 * Table types of loadable modules (module.h): pgsql, mysql, ldap, sqlite,
 * redis. One struct table_ops serves them all.
 */

#include "lib/table/table.h"

struct table_ops;
extern const struct table_ops table_client_ops;

/* Can it be loaded here? */
bool table_client_installed(const char *type);

#endif
