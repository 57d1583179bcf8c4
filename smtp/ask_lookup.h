/* SPDX-License-Identifier: ISC */
#ifndef SMTP_ASK_LOOKUP_H
#define SMTP_ASK_LOOKUP_H

/*
 * The client's own tables are lookup-smtp's. Only the task waits that has the
 * question.
 */

#include "lib/base/mem.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/table/table.h"

/*
 * One question of lookup.def. The answer lives until the connection is given
 * back with ask_lookup_done. NULL: there is none, and nothing to give back.
 */
const void *ask_lookup(struct ipc **c, const struct ipc_message *question,
    const void *asked, const struct ipc_message *answer);
void ask_lookup_done(struct ipc **c);

/*
 * The first of these keys that the table (or list of tables) has; those behind
 * the first are parts of it. *value is in the arena; NULL unless TABLE_FOUND.
 * What went wrong is logged, with the setting's name.
 */
enum { ASK_KEYS_MAX = 4 };
enum table_result
ask_table(struct arena *a, const char *setting, const char *table,
    const char *const *keys, size_t count, const char **value);
/* As ask_table, of an address in all forms that tables may have it in. */
enum table_result ask_table_address(struct arena *a, const char *setting,
    const char *table, const char *address, const char **value);
/* As ask_table, but TABLE_AGAIN after so many seconds. */
enum { ASK_BRIEFLY_S = 5, ASK_PATIENTLY_S = 100 };
enum table_result ask_table_within(int seconds, struct arena *a,
    const char *setting, const char *table, const char *const *keys,
    size_t count, const char **value);

#endif
