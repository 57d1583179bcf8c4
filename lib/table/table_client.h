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

/* Do we know of such a module, installed or not? */
bool table_client_type(struct span type);
/* Can it be loaded here? */
bool table_client_installed(const char *type);
/* The i-th type of which we know; NULL at the end. In order of name. */
const char *table_client_name(size_t i);

#endif
