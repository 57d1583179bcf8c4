/* SPDX-License-Identifier: ISC */
#ifndef RESOLVER_CALLERS_H
#define RESOLVER_CALLERS_H

/*
 * Who asks: a service of master.cf, with all connections of all its processes.
 * What it may have under way is bounded, so that one whose processes somebody
 * has taken over holds up nobody else. master says which it is, not its
 * process.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dns/dns.h"
#include "lib/task/task.h"

struct caller {
	struct dns_asker asker; /* the first: of its queries */
	struct caller *next;
	char *name;
	size_t connections;
	size_t questions; /* under way; asker.in_vain count as well */
	struct wait_queue room; /* for a question more */
	int64_t last_log;
};

/* NULL: it has too many connections, which was logged. */
struct caller *caller_enter(const char *program, const char *service);
void caller_leave(struct caller *c);
/* Else wait in c->room. */
bool caller_has_room(struct caller *c);
void caller_began(struct caller *c);
void caller_ended(struct caller *c);

#endif
