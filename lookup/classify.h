/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_CLASSIFY_H
#define LOOKUP_CLASSIFY_H

/* To whom a recipient's domain belongs, by Postfix's address classes. */

#include "lookup/maps.h"

struct classified {
	enum address_class class;
	const char *address; /* what remains when routes through us are gone */
	struct span local; /* in address */
	struct span domain;
};

/*
 * The address has been through rewrite_address. While its domain is ours and
 * the local part is a route (user%other@us, site!user@us, "user@other"@us),
 * that route is taken: what the address means then decides, so that nobody
 * relays through our name. LATER when a table is down; NEVER for what is no
 * address.
 */
enum verdict classify(struct maps *m, const char *address, struct arena *a,
    struct classified *out, struct why *why);
/* Is the domain (or literal) this machine's own? LATER: cannot be told. */
enum verdict classify_is_local(struct maps *m, struct span domain, bool *local,
    struct why *why);

#endif
