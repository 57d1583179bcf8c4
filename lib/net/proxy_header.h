/* SPDX-License-Identifier: ISC */
#ifndef LIB_NET_PROXY_HEADER_H
#define LIB_NET_PROXY_HEADER_H

/*
 * What a proxy says in front of a connection that it passes on: who the
 * client is, and where it had connected to. haproxy's PROXY protocol, text
 * (version 1) and binary (version 2).
 *
 * Bytes come from whoever can reach the port: nothing beyond
 * PROXY_HEADER_MOST is ever asked for, and what is no whole, well-formed
 * header is none.
 */

#include "lib/net/address.h"

/* A header that is longer is refused: addresses, and a few extensions. */
enum { PROXY_HEADER_MOST = 4096 };

struct proxy_header {
	size_t length; /* bytes of the header */
	bool direct; /* of the proxy's own making, as to see whether we live */
	struct address client; /* unless direct */
	struct address server;
};

enum proxy_header_result {
	PROXY_HEADER_OK,
	PROXY_HEADER_MORE, /* bytes are missing; so far nothing is wrong */
	PROXY_HEADER_BAD, /* *why says why */
};

/*
 * A header at the front of "bytes". One whose client the proxy does not know
 * ("UNKNOWN") is bad: it would be taken for the proxy, who may relay.
 */
enum proxy_header_result proxy_header_parse(struct span bytes,
    struct proxy_header *out, const char **why);

/*
 * Takes a header off a socket that nothing was read from, and nothing behind
 * it: that may be the beginning of a TLS handshake. Waits. NULL, or why there
 * is none.
 */
const char *
proxy_header_receive(int fd, int64_t deadline, struct proxy_header *out);

#endif
