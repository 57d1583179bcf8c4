/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_TABLE_SETTINGS_H
#define LIB_TABLE_TABLE_SETTINGS_H

/*
 * The settings of one table that speaks to a server: a file in the syntax of
 * main.cf, of which every name is known (pgsql_table(5) and its like), or
 * settings of main.cf itself with the table's name and a _ before them.
 *
 * A $ is an ordinary character: passwords hold such.
 */

#include "lib/base/buf.h"
#include "lib/table/module.h"

struct table_settings;

/*
 * lists: tables of settings, NULL at the end. Never NULL: what is wrong is
 * told in *errors, one line each, "path, line 3: ...".
 */
struct table_settings *table_settings_parse(const char *path, struct span text,
    const struct module_setting *const *lists, struct buf *errors);
/*
 * The same from settings PREFIX_name of main.cf; find gives NULL for what is
 * not set.
 */
typedef const char *table_settings_find(void *with, const char *name);
struct table_settings *
table_settings_gather(const char *prefix, table_settings_find *find, void *with,
    const struct module_setting *const *lists, struct buf *errors);
void table_settings_free(struct table_settings **s);

/* ensure()s that the name is in the lists; the default where it is not set. */
const char *
table_settings_text(const struct table_settings *s, const char *name);
/* Of a COUNT, TIME or BOOL. */
int64_t table_settings_number(const struct table_settings *s, const char *name);
bool table_settings_given(const struct table_settings *s, const char *name);
/* Is there such a name at all? */
bool table_settings_has(const struct table_settings *s, const char *name);

#endif
