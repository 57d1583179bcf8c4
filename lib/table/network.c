/* SPDX-License-Identifier: ISC */
#include "lib/table/network.h"

#include <arpa/inet.h>
#include <string.h>

bool
network_address(struct span text, struct network *out)
{
	char copy[INET6_ADDRSTRLEN];
	struct network n = { .length = 0 };

	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = span_take(span_skip(text, 1), text.n - 2);
	if (text.n == 0 || text.n >= sizeof(copy) ||
	    span_find(text, '\0') < text.n)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (inet_pton(AF_INET, copy, n.bytes) == 1)
		n.length = 4;
	else if (inet_pton(AF_INET6, copy, n.bytes) == 1)
		n.length = 16;
	else
		return false;
	n.bits = n.length * 8;
	*out = n;
	return true;
}

/* The byte's part that belongs to the network. */
static uint8_t
mask(unsigned int bits, unsigned int byte)
{
	if (bits >= (byte + 1) * 8)
		return 0xff;
	if (bits <= byte * 8)
		return 0;
	return (uint8_t)(0xff << (8 - (bits - byte * 8)));
}

/* What would be right: the address without the bits of hosts. */
static void
say_host_bits(struct span text, const struct network *n, struct buf *error)
{
	uint8_t bytes[16];
	char copy[INET6_ADDRSTRLEN];

	for (unsigned int i = 0; i < n->length; i++)
		bytes[i] = n->bytes[i] & mask(n->bits, i);
	inet_ntop(n->length == 4 ? AF_INET : AF_INET6, bytes, copy,
	    sizeof(copy));
	buf_printf(error,
	    "non-null host address bits in \"%.*s\", perhaps you should use "
	    "\"%s/%u\" instead",
	    SPAN_ARG(text), copy, n->bits);
}

static bool
all_digits(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

bool
network_parse(struct span text, struct network *out, struct buf *error)
{
	size_t slash = span_find(text, '/');
	struct span length = span_skip(text, slash + 1);
	struct network n;
	uint64_t bits;
	const char *wrong = NULL;

	if (slash < text.n && !all_digits(length))
		wrong = "bad mask value in";
	else if (!network_address(span_take(text, slash), &n))
		wrong = slash < text.n ? "bad network value in" :
					 "bad address pattern:";
	else if (slash < text.n && !span_u64(length, n.length * 8, &bits))
		wrong = "bad mask length in";
	if (wrong != NULL) {
		buf_printf(error, "%s \"%.*s\"", wrong, SPAN_ARG(text));
		return false;
	}
	if (slash < text.n)
		n.bits = (unsigned int)bits;
	for (unsigned int i = 0; i < n.length; i++)
		if (n.bytes[i] & ~mask(n.bits, i)) {
			say_host_bits(text, &n, error);
			return false;
		}
	*out = n;
	return true;
}

bool
network_pattern(struct span text, struct network *out, struct buf *error)
{
	struct span inner;

	if (text.n == 0 || text.p[0] != '[')
		return network_parse(text, out, error);
	if (span_find(text, ']') == text.n) {
		buf_printf(error, "missing ']' character after \"%.*s\"",
		    SPAN_ARG(text));
		return false;
	}
	inner = span_take(span_skip(text, 1), text.n - 2);
	if (text.p[text.n - 1] == ']' && span_find(inner, '/') < inner.n)
		return network_parse(inner, out, error);
	return network_parse(text, out, error);
}

static bool
digits_and_dots(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.')
			return false;
	return s.n > 0;
}

bool
network_meant(struct span text)
{
	struct network n;

	if (text.n == 0 || text.p[0] == '/')
		return false;
	if (text.p[0] == '[' ||
	    network_address(span_take(text, span_find(text, '/')), &n))
		return true;
	return span_find(text, ':') == text.n &&
	    (span_find(text, '/') < text.n || digits_and_dots(text));
}

bool
network_has(const struct network *n, const struct network *address)
{
	if (n->length != address->length)
		return false;
	for (unsigned int i = 0; i < n->length && i * 8 < n->bits; i++)
		if ((address->bytes[i] & mask(n->bits, i)) != n->bytes[i])
			return false;
	return true;
}
