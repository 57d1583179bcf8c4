/* SPDX-License-Identifier: ISC */
#ifndef LIB_NET_ADDRESS_H
#define LIB_NET_ADDRESS_H

/* Socket addresses as values, IPv4, IPv6 and UNIX. */

#include <stdbool.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "lib/base/span.h"

struct address {
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	};
};

enum { ADDRESS_TEXT_MAX = 112 };

/* "192.0.2.1" or "2001:db8::1" (no brackets), without port. */
bool address_parse_ip(struct span text, uint16_t port, struct address *out);
/* What accept(2) said; an IPv4-mapped IPv6 address becomes IPv4. */
void address_normalise(struct address *a);
/* The host part: "192.0.2.1", "2001:db8::1", or "unknown" for UNIX. */
void address_host(const struct address *a, char out[ADDRESS_TEXT_MAX]);
uint16_t address_port(const struct address *a);
bool address_is_ip(const struct address *a);
bool address_is_loopback(const struct address *a);
bool address_equal_host(const struct address *a, const struct address *b);
/*
 * Is the host in the network "192.0.2.0/24", "[2001:db8::]/32", "1.2.3.4"?
 * A pattern that cannot be parsed matches nothing; *valid says so.
 */
bool
address_in_network(const struct address *a, struct span pattern, bool *valid);

#endif
