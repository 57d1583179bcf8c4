/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_QUERY_H
#define LOOKUP_QUERY_H

/*
 * Lookups by table name, for programs that open no tables themselves. Only
 * tables that the administrator wrote into main.cf or master.cf are opened,
 * and only in settings that this program is told of: a program that strangers
 * have taken over can ask these, and no others.
 */

#include "lib/conf/master_cf.h"
#include "lib/table/table.h"

struct query_tables;

enum query_which { QUERY_ALL, QUERY_SERVERS /* those that a server serves */ };

/*
 * Opens every table that occurs in one of these settings ("share" as in
 * programs.def), in a restriction list, or in an -o of master.cf (which may be
 * NULL) for one of them. "share" lives longer than the result.
 */
struct query_tables *query_tables_open(struct conf *c, const char *share,
    const struct master_cf *services, enum query_which which);
size_t query_tables_count(const struct query_tables *q);
/* Is each of these tables ("hash:/a, pcre:/b") among those opened? */
bool query_tables_known(const struct query_tables *q, const char *tables);

/*
 * The first of the keys that is in one of the tables ("hash:/a, pcre:/b"),
 * which are asked in turn for each key. The first key is whole; those behind
 * it are parts of it, which pattern tables are not asked for. TABLE_BROKEN
 * for a table that is not among those opened.
 */
enum table_result query_tables_find(struct query_tables *q, const char *tables,
    const struct span *keys, size_t count, size_t *index, struct buf *value);
/* table_server_down() and table_concerns() of one of them. */
bool query_tables_server_down(const struct query_tables *q, const char *table);
enum table_result query_tables_concern(struct query_tables *q,
    const char *table, struct span key, struct buf *why);

#endif
