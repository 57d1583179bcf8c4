/* SPDX-License-Identifier: ISC */
#ifndef LIB_DNS_DNS_H
#define LIB_DNS_DNS_H

/*
 * Name service for tasks, over c-ares. For the program resolver alone: all
 * others ask it (lib/service/ask_resolver.h). dns_open reads resolv.conf, and
 * must be called before the program is confined. Nothing is cached: that is the
 * work of the name server that is asked. Equal questions of one asker that are
 * under way at the same time are asked once.
 *
 * Each answer tells apart: found, the name does not exist, the name has no
 * such record, try again (server failure, time-out), and refused as invalid
 * (RFC 5321 section 5.1, RFC 7505 null MX).
 */

#include <stdint.h>
#include "lib/base/mem.h"
#include "lib/net/address.h"

enum dns_result {
	DNS_OK,
	DNS_NO_NAME, /* NXDOMAIN */
	DNS_NO_DATA, /* the name exists, without such a record */
	DNS_AGAIN, /* try again later: no answer, or any RCODE but 0 and 3 */
	DNS_BAD, /* a malformed name, asked for or in the records */
};

enum {
	DNS_NAME_MAX = 256, /* with the end of the string */
	DNS_RECORDS_MAX = 64,
};

struct dns_mx {
	uint16_t preference;
	/* "" alone: the null MX, RFC 7505; "" among others: no host's name */
	const char *host;
};

/*
 * "servers" (may be NULL): "127.0.0.1:5353,..." instead of resolv.conf;
 * from the setting dns_servers. fatal() if nothing can be read. The patience is
 * what all servers together have for one question. An answer that has to come
 * by TCP has a third of it more, and all of it where connections break.
 */
enum { DNS_PATIENCE_MS = 30000 };
void dns_open(const char *servers, int patience_ms);
/*
 * The ports of these servers, whom a long answer is fetched from by TCP. How
 * many are in ports[], which has room for DNS_PORTS_MAX.
 */
enum { DNS_PORTS_MAX = 16 };
size_t dns_ports(uint16_t ports[DNS_PORTS_MAX]);
/*
 * Questions of different lanes share no socket: what strangers can do to those
 * that they cause does nothing to mail that leaves, but for the names of those
 * to whom reports and forwarded mail go.
 */
enum dns_lane { DNS_LANE_STRANGERS, DNS_LANE_MAIL, DNS_LANES };
/*
 * Who asks; zeroed is ready for use, NULL is nobody in particular. What was
 * given up at its deadline may be with the servers for longer.
 */
struct dns_asker {
	enum dns_lane lane;
	size_t in_vain; /* queries that it gave up, and servers have */
	void (*freed)(struct dns_asker *asker); /* there is one less */
};
/* Results live in the arena. At most 64 records: of MX the best, sorted. */
enum dns_result dns_mx(struct dns_asker *asker, struct arena *a,
    const char *name, int64_t deadline, struct dns_mx **mx, size_t *count);
/*
 * "family": AF_INET, AF_INET6 or AF_UNSPEC for both (IPv4 first). Follows
 * CNAMEs. Names in "localhost" are not asked for (RFC 6761).
 */
enum dns_result dns_addresses(struct dns_asker *asker, struct arena *a,
    const char *name, int family, uint16_t port, int64_t deadline,
    struct address **out, size_t *count);
/*
 * The name of a client: *name if it maps back to the address (DNS_OK), else
 * NULL. *unverified is what the reverse zone says, NULL if nothing. Loopback
 * is "localhost" without asking.
 */
enum dns_result dns_client_name(struct dns_asker *asker, struct arena *a,
    const struct address *client, int64_t deadline, const char **name,
    const char **unverified);

#endif
