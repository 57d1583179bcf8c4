/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_DESTINATION_H
#define LIB_MAIL_DESTINATION_H

/*
 * A next hop as qmgr and the settings name it:
 *	domain, domain:port	by its MX records
 *	[host], [host]:port	by its addresses; [192.0.2.1] as well
 *	unix:path		a UNIX socket (LMTP)
 *	inet:host, inet:host:port	as [host]:port (LMTP)
 * A list of them, separated by commas or blanks, is tried in its order.
 * Pure, but for the names of ports that lib/net/port.h has read.
 */

#include <stdint.h>
#include "lib/base/mem.h"

struct destination {
	const char *text; /* as written: key of tables and caches */
	const char *host; /* domain or host, ASCII; "" for UNIX sockets */
	const char *path; /* of a UNIX socket, or NULL */
	uint16_t port;
	bool mx; /* look for MX records */
	bool port_given;
};

enum { DESTINATIONS_MAX = 32 };

/*
 * Texts live in the arena. "lmtp": never by MX. The number found, 0 when
 * something is no destination; *bad is then that part.
 */
size_t destination_parse(struct arena *a, const char *nexthop, bool lmtp,
    uint16_t default_port, struct destination out[DESTINATIONS_MAX],
    struct span *bad);

#endif
