/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ASK_H
#define SMTPD_ASK_H

/* Questions to lookup. They wait; answers are copied to the caller's arena. */

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/table/table.h"

/*
 * The first key in any of the tables, which are as in main.cf. The first key
 * is the whole one, those behind it are parts of it (domain, parent domains,
 * "user@"), which pattern tables are not asked for. *value holds the value,
 * or why not. lookup down: TABLE_AGAIN.
 */
enum table_result ask_tables(const char *tables, const struct span *keys,
    size_t count, struct buf *value);
/* The same for an address, in the forms of table_address_keys. */
enum table_result
ask_address_tables(const char *tables, struct span address, struct buf *value);

/*
 * What becomes of these addresses: an array of "count" answers in the arena,
 * NULL when lookup cannot be asked. Whether they exist is what our service's
 * settings say (its "key", see smtpd_config); with NULL that is not asked.
 * "settled": cleanup will leave the sender as it is.
 */
const struct msg_resolved_item *
ask_resolve(struct arena *a, const char *service_key, const char *sender,
    bool settled, const struct msg_address_item *addresses, size_t count);

#endif
