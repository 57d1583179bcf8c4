/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_MODULE_LOAD_H
#define LIB_TABLE_MODULE_LOAD_H

/*
 * Finds the modules of table types: table_TYPE.so in the folder of the
 * daemons this was built for, or beside the running program's own
 * (../libexec/posthaste), if the folder is root's or its own.
 *
 * SECURITY. A module runs with the rights of who loads it: before rights are
 * dropped, that is root. Nothing but the folder that holds root's own
 * programs is looked at, never a path of a setting or of the environment, and
 * a set-id program loads none at all.
 */

#include "lib/base/buf.h"
#include "lib/table/module.h"

/* Lives for ever. NULL, with *error. */
const struct table_module *module_load(const char *type, struct buf *error);
bool module_installed(const char *type);
/* Does the type come as a module, installed or not? */
bool module_type(struct span type);

/* Types of which there is a module in this source; NULL at the end. */
extern const char *const module_types[];

#endif
