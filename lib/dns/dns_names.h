/* SPDX-License-Identifier: ISC */
#ifndef LIB_DNS_DNS_NAMES_H
#define LIB_DNS_DNS_NAMES_H

/*
 * What needs no name server: for resolver, and for those who ask it. Nothing
 * of c-ares is linked with it.
 */

#include "lib/base/span.h"
#include "lib/dns/dns.h"

/*
 * What may be asked for. A backslash would be an escape to c-ares, and so
 * another name than the one that was checked before.
 */
bool dns_name_fit(const char *name);
/*
 * A host name as mail uses it: letters, digits, hyphens, underscores, dots
 * between; labels of at most 63 bytes.
 */
bool dns_host_valid(const char *name);
/* RFC 6761 section 6.3: never asked of a server, but... */
bool dns_is_localhost(const char *name);
/* ...these. */
void dns_localhost(struct arena *arena, int family, uint16_t port,
    struct address **out, size_t *count);
/* Of 4 or 16 bytes; false for any other number. */
bool
dns_set_address(struct address *a, const void *bytes, size_t n, uint16_t port);
void dns_set_port(struct address *a, uint16_t port);
/* The same bytes; none of a UNIX socket. */
struct span dns_address_bytes(const struct address *a);
const char *dns_result_text(enum dns_result r);

#endif
