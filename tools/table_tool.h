/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_TABLE_TOOL_H
#define TOOLS_TABLE_TOOL_H

/* What postmap, postalias and newaliases have in common. */

#include "lib/conf/conf.h"

enum table_tool_kind { TABLE_TOOL_MAP, TABLE_TOOL_ALIAS };

/*
 * The settings, from -c, MAIL_CONFIG or the built-in place. A main.cf with
 * mistakes is used as far as it goes: tables must be mendable then, too.
 */
struct conf *table_tool_settings(const char *directory);
/*
 * Builds one table; as root with the rights of the source's owner, unless
 * keep_root. False when that failed, with a message.
 */
struct table_build;
bool table_tool_build(const struct table_build *b, bool keep_root);
/* The whole of postmap's and postalias's main. */
int table_tool_main(int argc, char **argv, enum table_tool_kind kind);

#endif
