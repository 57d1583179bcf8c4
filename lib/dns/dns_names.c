/* SPDX-License-Identifier: ISC */
#include "lib/dns/dns_names.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool
dns_name_fit(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > 254)
		return false;
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '\\')
			return false;
	return true;
}

bool
dns_host_valid(const char *name)
{
	size_t label = 0, n = strlen(name);

	if (n == 0 || n >= DNS_NAME_MAX)
		return false;
	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '.') {
			if (label == 0 || p[1] == '\0')
				return false;
			label = 0;
		} else if ((!isalnum(c) && c != '-' && c != '_') || c >= 0x80 ||
		    ++label > 63) {
			return false;
		}
	}
	return true;
}

bool
dns_is_localhost(const char *name)
{
	size_t n = strlen(name);

	if (n > 0 && name[n - 1] == '.')
		n--;
	return (n == 9 && strncasecmp(name, "localhost", 9) == 0) ||
	    (n > 10 && strncasecmp(name + n - 10, ".localhost", 10) == 0);
}

void
dns_set_port(struct address *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET)
		a->v4.sin_port = htons(port);
	else
		a->v6.sin6_port = htons(port);
}

bool
dns_set_address(struct address *a, const void *bytes, size_t n, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (n == sizeof(a->v4.sin_addr)) {
		a->length = sizeof(a->v4);
		a->v4.sin_family = AF_INET;
		memcpy(&a->v4.sin_addr, bytes, n);
	} else if (n == sizeof(a->v6.sin6_addr)) {
		a->length = sizeof(a->v6);
		a->v6.sin6_family = AF_INET6;
		memcpy(&a->v6.sin6_addr, bytes, n);
	} else {
		return false;
	}
	dns_set_port(a, port);
	return true;
}

struct span
dns_address_bytes(const struct address *a)
{
	if (a->any.sa_family == AF_INET)
		return (struct span){ (const char *)&a->v4.sin_addr,
			sizeof(a->v4.sin_addr) };
	if (a->any.sa_family == AF_INET6)
		return (struct span){ (const char *)&a->v6.sin6_addr,
			sizeof(a->v6.sin6_addr) };
	return SPAN("");
}

void
dns_localhost(struct arena *arena, int family, uint16_t port,
    struct address **out, size_t *count)
{
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	size_t n = 0;

	*out = arena_alloc(arena, 2 * sizeof(**out));
	if (family != AF_INET6)
		(void)dns_set_address(&(*out)[n++], &loopback, sizeof(loopback),
		    port);
	if (family != AF_INET)
		(void)dns_set_address(&(*out)[n++], &in6addr_loopback,
		    sizeof(in6addr_loopback), port);
	*count = n;
}

const char *
dns_result_text(enum dns_result r)
{
	static const char *const texts[] = { "found", "Host not found",
		"Host found but no data record of requested type",
		"Host not found, try again",
		"Malformed or unexpected name server reply" };

	return texts[r];
}
