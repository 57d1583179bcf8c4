/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CLIENT_LIST_H
#define SMTPD_CLIENT_LIST_H

/*
 * Lists of clients, as mynetworks: networks, addresses, names, .domains,
 * "!" before any, /files with more of them, type:table. The first that
 * matches decides.
 *
 * Files are read at start; tables are asked of lookup, by address and name.
 */

#include "lib/base/buf.h"
#include "lib/net/address.h"
#include "lib/table/table.h"

struct client_list;

/* Never NULL; lines in *error for what is wrong in it. */
struct client_list *client_list_new(const char *setting, const char *text,
    bool parents_match, struct buf *error);
bool client_list_empty(const struct client_list *l);

/*
 * "name" is "unknown" if there is none. A table that cannot be asked is
 * TABLE_AGAIN, with a log line.
 */
enum table_result client_list_match(const struct client_list *l,
    const struct address *address, struct span address_text, struct span name);
/* A word alone: patterns are words, "!" before any, /files, type:table. */
enum table_result
client_list_match_word(const struct client_list *l, struct span word);

#endif
