/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_ADDRESS_MAP_H
#define LOOKUP_ADDRESS_MAP_H

/* Tables that turn an address into others: canonical and virtual. */

#include "lookup/maps.h"

struct address_set {
	const char **addresses; /* in the arena */
	size_t count;
	size_t room;
};

void
address_set_add(struct address_set *s, const char *address, struct arena *a);

/*
 * What the tables make of the address, each result rewritten: "@domain" keeps
 * the local part, a bare name gets a domain, and with "propagate" an
 * extension that was not in the key goes to each. *found false: it is in no
 * table. NEVER is not returned.
 */
enum verdict address_map(struct maps *m, struct table_list *l,
    const char *address, bool propagate, struct arena *a, bool *found,
    struct address_set *out, struct why *why);
/*
 * canonical_maps and its like for addresses of this kind, and then
 * masquerade_domains: the tables again and again
 * while that changes it. *address changes on OK only.
 */
enum verdict address_map_canonical(struct maps *m, enum rewrite_kind kind,
    struct arena *a, const char **address, struct why *why);
/* Are bare names keys for this address, too? */
enum verdict address_map_is_local(struct maps *m, const char *address,
    bool *local, struct why *why);
/* Is it in the canonical or virtual alias tables? Then it exists. */
enum verdict address_map_known(struct maps *m, const char *address,
    struct arena *a, bool *canonical, bool *virtual, struct why *why);

#endif
