/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_NETWORK_H
#define LIB_TABLE_NETWORK_H

/* IP networks, parsed once and matched often. */

#include <stdint.h>

#include "lib/base/buf.h"

struct network {
	uint8_t bytes[16]; /* IPv4: the first four */
	unsigned int length; /* of the address: 4 or 16 */
	unsigned int bits; /* of the network */
};

/* "192.0.2.1", "2001:db8::1", with or without brackets; no prefix length. */
bool network_address(struct span text, struct network *out);
/*
 * "192.0.2.0/24", "2001:db8::/32", "[2001:db8::]/32", "192.0.2.1". Bits
 * beyond the prefix must be zero: *error says so.
 */
bool network_parse(struct span text, struct network *out, struct buf *error);
/* The same as tables have it: the brackets may be around all of it. */
bool network_pattern(struct span text, struct network *out, struct buf *error);
/*
 * Is an address or network meant, though perhaps a wrong one ("300.1.1.1",
 * "10.0.0.0/40", "[::1")? Neither is the name of a host. Not for files and
 * tables.
 */
bool network_meant(struct span text);
bool network_has(const struct network *n, const struct network *address);

#endif
