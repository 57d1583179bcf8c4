/* SPDX-License-Identifier: ISC */
#ifndef LIB_DNS_DNS_CHANNEL_H
#define LIB_DNS_DNS_CHANNEL_H

/*
 * A channel of c-ares, for dns_query.c only: what is asked through it shares
 * one UDP or one TCP socket for each name server. These are open while there
 * is a question; with none it has no socket and no timer. A socket that fails
 * costs all questions of the channel one of their tries.
 *
 * c-ares reads resolv.conf and /dev/urandom when a channel is made, so all are
 * made before the program is confined. Each takes 73 KB and lives as long as
 * the process.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_transport {
	/* an answer that is too long for a datagram comes as it is */
	DNS_UDP,
	DNS_TCP,
};

struct dns_channel;

/* A question; belongs to the caller. */
struct dns_asked {
	struct dns_channel *channel; /* NULL: it was answered */
	/*
	 * Called once, maybe before dns_channel_ask has returned. The status is
	 * c-ares's; the message may be NULL. May ask on another channel.
	 */
	void (*answered)(struct dns_asked *a, int status,
	    const unsigned char *message, int length);
	bool in_vain; /* nobody waits for it */
};

/*
 * How many servers there are ("servers" as of dns_open), and the ports of the
 * first "max" of them.
 */
size_t dns_channel_servers(const char *servers, uint16_t *ports, size_t max);
/*
 * For so many servers, which together have so long for a question. fatal() if
 * that cannot be.
 */
struct dns_channel *dns_channel_new(const char *servers, size_t count,
    enum dns_transport transport, int patience_ms);
/* With a->answered set. */
void dns_channel_ask(struct dns_channel *c, const char *name, int type,
    struct dns_asked *a);
/* Questions that servers have. */
size_t dns_channel_load(const struct dns_channel *c);
/*
 * Whether nobody waits for it any more. A channel on which that is so for all
 * gives them up at once: a->answered may be called before this returns.
 */
void dns_channel_in_vain(struct dns_asked *a, bool in_vain);

#endif
