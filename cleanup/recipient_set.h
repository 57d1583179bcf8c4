/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_RECIPIENT_SET_H
#define CLEANUP_RECIPIENT_SET_H

/*
 * The recipients of one message: as they were given, then as they will be
 * delivered to. Texts belong to the message's arena.
 */

#include "cleanup/settings.h"
#include "lib/base/mem.h"
#include "lib/base/why.h"

struct recipient {
	const char *address;
	const char *original;
	const char *orcpt;
	unsigned int notify;
	bool final; /* transport and nexthop are known */
	const char *transport;
	const char *nexthop;
};

struct recipient_set {
	struct recipient *items;
	size_t count;
	size_t room;
};

void recipient_set_add(struct recipient_set *s, const struct recipient *r);
/*
 * Adds the copies that always_bcc, sender_bcc_maps and recipient_bcc_maps ask
 * for.
 */
enum verdict recipient_set_add_copies(struct recipient_set *s, struct arena *a,
    const struct settings *set, const char *sender, struct why *why);
/*
 * Expands (if "mapped") and resolves those that are not final, and drops
 * duplicates. On anything but OK the set is of no use.
 */
enum verdict recipient_set_resolve(struct recipient_set *s, struct arena *a,
    const struct settings *set, const char *sender, bool mapped,
    struct why *why);
void recipient_set_free(struct recipient_set *s);

#endif
