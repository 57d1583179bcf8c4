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

bool
network_parse(struct span text, struct network *out, struct buf *error)
{
	size_t slash = span_find(text, '/');
	struct network n;
	uint64_t bits;

	if (!network_address(span_take(text, slash), &n)) {
		buf_printf(error, "bad address pattern: \"%.*s\"",
		    SPAN_ARG(text));
		return false;
	}
	if (slash < text.n) {
		if (!span_u64(span_skip(text, slash + 1), n.length * 8,
			&bits)) {
			buf_printf(error, "bad net/mask pattern: \"%.*s\"",
			    SPAN_ARG(text));
			return false;
		}
		n.bits = (unsigned int)bits;
	}
	for (unsigned int i = 0; i < n.length; i++)
		if (n.bytes[i] & ~mask(n.bits, i)) {
			buf_printf(error,
			    "non-null host address bits in "
			    "\"%.*s\"",
			    SPAN_ARG(text));
			return false;
		}
	*out = n;
	return true;
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
