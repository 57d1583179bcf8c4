/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_ASK_LOOKUP_H
#define CLEANUP_ASK_LOOKUP_H

/*
 * cleanup's questions to lookup. Answers are copied into the arena. A lookup
 * that is not to be had is LATER: nothing is taken for "no".
 */

#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/mail/resolve.h"

enum { ASK_MOST = 1000 }; /* addresses in one question */

struct expansion {
	size_t index; /* which of the addresses asked about */
	const char *address;
	const char *transport;
	const char *nexthop;
};

/*
 * Deliveries for these recipients (at most ASK_MOST); "mapped": of what
 * canonical tables and aliases make of them.
 */
enum verdict ask_expand(struct arena *a, const char *sender, bool mapped,
    const char *const *addresses, size_t count, struct expansion **out,
    size_t *out_count, struct why *why);
/* Replaces each address (at most ASK_MOST) by its canonical form. */
enum verdict ask_rewrite(struct arena *a, enum rewrite_kind kind,
    const char **addresses, size_t count, struct why *why);
/* The address in the tables, in the forms of table_address_keys; or NULL. */
enum verdict ask_address_query(struct arena *a, const char *tables,
    const char *address, const char **value, struct why *why);

#endif
