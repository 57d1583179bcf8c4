/* SPDX-License-Identifier: ISC */
#include "lookup/own_addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/network.h"

struct own_addresses {
	struct network *all;
	size_t count;
};

static void
add(struct own_addresses *o, const struct network *n)
{
	o->all = mem_resize(o->all, (o->count + 1) * sizeof(*o->all));
	o->all[o->count++] = *n;
}

static void
add_socket_address(struct own_addresses *o, const struct sockaddr *from)
{
	struct network n = { .length = 0 };

	if (from == NULL)
		return;
	if (from->sa_family == AF_INET) {
		const void *v4 = from;

		n.length = 4;
		memcpy(n.bytes, &((const struct sockaddr_in *)v4)->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		const void *v6 = from;

		n.length = 16;
		memcpy(n.bytes, &((const struct sockaddr_in6 *)v6)->sin6_addr,
		    16);
	}
	n.bits = n.length * 8;
	if (n.length > 0)
		add(o, &n);
}

static void
add_interfaces(struct own_addresses *o, bool loopback_only)
{
	struct ifaddrs *first = NULL;

	if (getifaddrs(&first) < 0) {
		log_warning("addresses of this machine: %m");
		return;
	}
	for (struct ifaddrs *i = first; i != NULL; i = i->ifa_next)
		if (!loopback_only || (i->ifa_flags & IFF_LOOPBACK))
			add_socket_address(o, i->ifa_addr);
	freeifaddrs(first);
}

static void
add_host(struct own_addresses *o, struct span name)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char *text = mem_span_text(name);

	if (getaddrinfo(text, NULL, &hints, &found) == 0) {
		for (struct addrinfo *i = found; i != NULL; i = i->ai_next)
			add_socket_address(o, i->ai_addr);
		freeaddrinfo(found);
	} else {
		log_warning("host not found: %s", text);
	}
	free(text);
}

static void
add_list(struct own_addresses *o, const char *list)
{
	struct span rest = span_of(list);
	struct span word;

	while (span_cut(&rest, ", \t\r\n", true, &word)) {
		struct network n;

		if (span_is_nocase(word, "all"))
			add_interfaces(o, false);
		else if (span_is_nocase(word, "loopback-only"))
			add_interfaces(o, true);
		else if (network_address(word, &n))
			add(o, &n);
		else
			add_host(o, word);
	}
}

struct own_addresses *
own_addresses_new(const char *inet_interfaces, const char *proxy_interfaces)
{
	struct own_addresses *o = mem_new(sizeof(*o));

	add_list(o, inet_interfaces);
	add_list(o, proxy_interfaces);
	return o;
}

void
own_addresses_free(struct own_addresses **o)
{
	if (*o == NULL)
		return;
	free((*o)->all);
	free(*o);
	*o = NULL;
}

struct span
own_addresses_bare(struct span literal)
{
	if (literal.n < 2 || literal.p[0] != '[' ||
	    literal.p[literal.n - 1] != ']')
		return (struct span){ NULL, 0 };
	literal = span_take(span_skip(literal, 1), literal.n - 2);
	if (span_starts_nocase(literal, "IPv6:"))
		literal = span_skip(literal, 5);
	return literal;
}

bool
own_addresses_has(const struct own_addresses *o, struct span literal)
{
	struct network n;

	if (!network_address(own_addresses_bare(literal), &n))
		return false;
	for (size_t i = 0; i < o->count; i++)
		if (network_has(&o->all[i], &n))
			return true;
	return false;
}
