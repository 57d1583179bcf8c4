/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_ASK_RESOLVER_H
#define LIB_SERVICE_ASK_RESOLVER_H

/*
 * Name service for tasks of programs that ask no name server themselves:
 * resolver does, over one connection for all tasks of the process. Each
 * question is one message there and one back. Without resolver, or when it has
 * too many questions already, the answer is DNS_AGAIN, at the deadline; two
 * seconds later where resolver hangs. A question whose resolver ends is asked
 * of the next one.
 *
 * What needs no name server is answered here: "localhost", clients on loopback,
 * and what is no name (DNS_BAD).
 */

#include "lib/dns/dns.h"

/* Of questions; the numbers are in lib/ipc/resolver.def. */
enum resolver_kind {
	RESOLVER_MX,
	RESOLVER_ADDRESSES,
	RESOLVER_CLIENT,
};
/* So many of one process are under way; more wait for their turn. */
enum { RESOLVER_AT_ONCE = 1000 };
/* So long a question may be with it. */
enum { RESOLVER_PATIENCE_MS = 60000 };

/* As dns_mx, dns_addresses and dns_client_name of lib/dns/dns.h. */
enum dns_result resolver_mx(struct arena *a, const char *name, int64_t deadline,
    struct dns_mx **mx, size_t *count);
enum dns_result
resolver_addresses(struct arena *a, const char *name, int family, uint16_t port,
    int64_t deadline, struct address **out, size_t *count);
enum dns_result
resolver_client_name(struct arena *a, const struct address *client,
    int64_t deadline, const char **name, const char **unverified);

#endif
