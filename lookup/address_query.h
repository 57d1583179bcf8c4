/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_ADDRESS_QUERY_H
#define LOOKUP_ADDRESS_QUERY_H

/* Questions for tables whose key is an address. */

#include "lib/ipc/proto_lookup.h"
#include "lookup/maps.h"
#include "lookup/query.h"

/*
 * query_answer for a query of lookup.def; of one that is an address, all forms
 * that tables may have it in are tried: quoted as in messages and as it is
 * meant, each with and without its extension, the local part alone where the
 * domain is ours, and @domain.
 */
void address_query_answer(struct maps *m, struct query_tables *tables,
    struct ipc *c, const struct msg_query *asked, struct arena *memory);

#endif
