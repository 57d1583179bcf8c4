/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_RECIPIENT_H
#define LOOKUP_RECIPIENT_H

/* One recipient: class, existence, delivery; and what it expands to. */

#include "lookup/address_map.h"
#include "lookup/routing.h"

struct recipient {
	enum verdict verdict; /* OK: exists, or cannot be known here */
	struct why why;
	enum address_class class;
	const char *address; /* domain added and folded */
	bool final; /* expanded, it would be this, and nothing else */
	struct routing routing;
};

/*
 * All texts are in the arena or the maps. Whether the recipient exists is told
 * by "view", which may be "m"; NULL: that does not matter, it was accepted.
 */
void recipient_resolve(struct maps *m, struct maps *view, const char *sender,
    const char *address, struct arena *a, struct recipient *out);

struct delivery {
	const char *address;
	struct routing routing;
};

struct delivery_set {
	struct delivery *items; /* in the arena */
	size_t count;
};

/*
 * Canonical rewriting, virtual aliases of aliases, resolution. Addresses are
 * given once each. LATER, also for aliases without end: what an
 * administrator mends should not have cost mail.
 */
enum verdict
recipient_expand(struct maps *m, const char *sender, const char *address,
    struct arena *a, struct delivery_set *out, struct why *why);
/* Resolution alone: one delivery, to the recipient as it is. */
enum verdict
recipient_as_is(struct maps *m, const char *sender, const char *address,
    struct arena *a, struct delivery_set *out, struct why *why);

#endif
