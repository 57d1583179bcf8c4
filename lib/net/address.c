/* SPDX-License-Identifier: ISC */
#include "lib/net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool
address_parse_ip(struct span text, uint16_t port, struct address *out)
{
	char buf[INET6_ADDRSTRLEN];
	struct address a = { 0 };

	if (text.n == 0 || text.n >= sizeof(buf) ||
	    span_find(text, '\0') < text.n)
		return false;
	memcpy(buf, text.p, text.n);
	buf[text.n] = '\0';
	if (inet_pton(AF_INET, buf, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
		a.length = sizeof(a.v4);
	} else if (inet_pton(AF_INET6, buf, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
		a.length = sizeof(a.v6);
	} else {
		return false;
	}
	*out = a;
	return true;
}

void
address_normalise(struct address *a)
{
	struct in_addr host;
	in_port_t port;

	if (a->any.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return;
	memcpy(&host, &a->v6.sin6_addr.s6_addr[12], sizeof(host));
	port = a->v6.sin6_port;
	memset(a, 0, sizeof(*a));
	a->length = sizeof(a->v4);
	a->v4.sin_family = AF_INET;
	a->v4.sin_addr = host;
	a->v4.sin_port = port;
}

static const unsigned char *
host_bytes(const struct address *a, size_t *n)
{
	if (a->any.sa_family == AF_INET) {
		*n = sizeof(a->v4.sin_addr);
		return (const unsigned char *)&a->v4.sin_addr;
	}
	if (a->any.sa_family == AF_INET6) {
		*n = sizeof(a->v6.sin6_addr);
		return a->v6.sin6_addr.s6_addr;
	}
	*n = 0;
	return NULL;
}

void
address_host(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	size_t n;
	const unsigned char *bytes = host_bytes(a, &n);

	if (bytes == NULL ||
	    inet_ntop(a->any.sa_family, bytes, out, ADDRESS_TEXT_MAX) == NULL)
		snprintf(out, ADDRESS_TEXT_MAX, "unknown");
}

uint16_t
address_port(const struct address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohs(a->v4.sin_port);
	if (a->any.sa_family == AF_INET6)
		return ntohs(a->v6.sin6_port);
	return 0;
}

bool
address_is_ip(const struct address *a)
{
	return a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6;
}

bool
address_is_loopback(const struct address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return a->any.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

bool
address_equal_host(const struct address *a, const struct address *b)
{
	size_t n, m;
	const unsigned char *x = host_bytes(a, &n), *y = host_bytes(b, &m);

	return x != NULL && n == m && memcmp(x, y, n) == 0;
}

/* The first "bits" bits are the same; with strict, the rest of net is 0. */
static bool
same_prefix(const unsigned char *host, const unsigned char *net, size_t bits)
{
	size_t whole = bits / 8;
	unsigned int mask = 0xff00U >> bits % 8 & 0xff;

	if (memcmp(host, net, whole) != 0)
		return false;
	return mask == 0 || (host[whole] & mask) == (net[whole] & mask);
}

static bool
no_bits_beyond(const unsigned char *net, size_t n, size_t bits)
{
	for (size_t i = bits; i < n * 8; i++)
		if (net[i / 8] & 0x80U >> i % 8)
			return false;
	return true;
}

/* "192.0.2.0/24": the address and the number of bits that count. */
static bool
parse_network(struct span pattern, struct address *net, uint64_t *bits)
{
	size_t slash = span_find(pattern, '/');
	struct span host = span_take(pattern, slash);
	const unsigned char *bytes;
	size_t n;

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_skip(span_take(host, host.n - 1), 1);
	if (!address_parse_ip(host, 0, net))
		return false;
	bytes = host_bytes(net, &n);
	*bits = n * 8;
	if (slash == pattern.n)
		return true;
	return span_u64(span_skip(pattern, slash + 1), n * 8, bits) &&
	    no_bits_beyond(bytes, n, *bits);
}

bool
address_in_network(const struct address *a, struct span pattern, bool *valid)
{
	struct address net = { 0 };
	const unsigned char *host, *bytes;
	uint64_t bits;
	size_t n, m;

	*valid = parse_network(pattern, &net, &bits);
	if (!*valid)
		return false;
	host = host_bytes(a, &n);
	bytes = host_bytes(&net, &m);
	return host != NULL && n == m && same_prefix(host, bytes, bits);
}
