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
 * What there is to say, one line each, "path, line 3: ...". Postfix ignores
 * names that it does not know, so a file can have such and work.
 */
struct settings_told {
	struct buf errors; /* it cannot be used so */
	struct buf unknown; /* names that mean nothing */
	struct buf warnings; /* numbers above the largest: that is taken */
};
void settings_told_init(struct settings_told *told);
void settings_told_fini(struct settings_told *told);
void settings_told_reset(struct settings_told *told);
void
settings_told_add(struct settings_told *told, const struct settings_told *more);
/* Unknown names and warnings, in the log, unless *mentioned; it is set. */
void settings_told_mention(const struct settings_told *told, bool *mentioned);
/* Logs the errors of a file that is not taken up because of them. */
void settings_told_kept(const struct settings_told *told, const char *path);

/* lists: tables of settings, NULL at the end. Never NULL. */
struct table_settings *table_settings_parse(const char *path, struct span text,
    const struct module_setting *const *lists, struct settings_told *told);
/*
 * The same from settings PREFIX_name of main.cf; find gives NULL for what is
 * not set.
 */
typedef const char *table_settings_find(void *with, const char *name);
struct table_settings *
table_settings_gather(const char *prefix, table_settings_find *find, void *with,
    const struct module_setting *const *lists, struct settings_told *told);
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
