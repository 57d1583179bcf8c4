/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_GENERIC_H
#define LOOKUP_GENERIC_H

/* What smtp_generic_maps makes of addresses, for the SMTP and LMTP client. */

#include "lookup/maps.h"
#include "lookup/query.h"

/*
 * The tables are named by the client's settings, which -o of master.cf may
 * change; those that are in no setting are refused. *address changes if it
 * is in one of them: one pass, the first address of the value.
 */
enum verdict generic_map(struct maps *m, const struct query_tables *known,
    const char *tables, struct arena *a, const char **address, struct why *why);

#endif
