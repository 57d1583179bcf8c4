/* SPDX-License-Identifier: ISC */
#ifndef SMTP_HOSTS_H
#define SMTP_HOSTS_H

/*
 * Which machines to talk to for a destination, and in which order: MX
 * records by preference (RFC 5321 section 5.1), hosts of equal preference
 * shuffled, their addresses by the preferred family. Ourselves among the MX
 * hosts, and all that are no better than us, are left out, so that mail does
 * not go round. That is the end of the mail only if no MX record is better than
 * ours, one of a host that is not found included.
 */

#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/net/address.h"
#include "lib/mail/destination.h"

struct host {
	const char *name; /* of the MX host, or of the destination */
	unsigned int preference;
	struct address address;
};

struct hosts {
	struct host *list;
	size_t count;
	/* Preference of all, whether found or not; no host's if unknown. */
	unsigned int best;
	bool ours; /* we are one of the domain's MX hosts; set in any case */
	bool loop_check; /* a greeting with our own name means a loop */
};

/*
 * OK with at least one host; LATER or NEVER with *why as the log and the
 * report shall say it. All in the arena.
 */
enum verdict hosts_find(struct arena *a, const struct destination *d,
    int64_t deadline, struct hosts *out, struct why *why);

/* The order alone, for its test. "noise" gives random numbers. */
void hosts_order(struct host *list, size_t count, int preferred_family,
    bool shuffle, uint32_t (*noise)(void));
/*
 * Keeps at most "limit" (0: all); with "balance", both families if there are
 * both. How many are left.
 */
size_t hosts_limit(struct host *list, size_t count, size_t limit, bool balance);

#endif
