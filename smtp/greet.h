/* SPDX-License-Identifier: ISC */
#ifndef SMTP_GREET_H
#define SMTP_GREET_H

/*
 * From a host to a server that is ready for mail: connection, greeting, EHLO
 * (or HELO, LHLO), STARTTLS as the policy demands, EHLO again, AUTH.
 */

#include "smtp/hosts.h"
#include "smtp/peer.h"
#include "smtp/policy.h"

struct greeting {
	struct arena *arena;
	const struct destination *destination;
	const struct policy *policy;
	const char *sender; /* for passwords by sender */
	bool loop_check;
	bool best; /* no MX host of the domain is better than this one */
	bool ourselves; /* set: we got through to ourselves */
	bool handshake; /* set: the server let us get beyond the greeting */
};

/*
 * OK with a peer; else LATER or NEVER with *why, and nothing is left open.
 */
enum verdict greet_host(struct greeting *g, const struct host *h,
    struct peer **out, struct why *why);
enum verdict greet_unix(struct greeting *g, struct peer **out, struct why *why);

/* For tests: what one line of an EHLO reply says. */
void greet_extension(struct peer *p, struct span line, bool first);

#endif
