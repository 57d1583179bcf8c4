/* SPDX-License-Identifier: ISC */
#ifndef LIB_DNS_DNS_HOSTS_H
#define LIB_DNS_DNS_HOSTS_H

/* The system's hosts file. */

#include "lib/dns/dns.h"

#define DNS_HOSTS_FILE "/etc/hosts"

/*
 * Takes the place of what was read before; a missing file is an empty one. A
 * warning for one that cannot be read. To be called before the program is
 * confined.
 */
void dns_hosts_read(const char *path);
/*
 * As dns_addresses, out of what was read: DNS_OK or DNS_NO_NAME, DNS_AGAIN if
 * the file could not be read.
 */
enum dns_result dns_hosts(struct arena *a, const char *name, int family,
    uint16_t port, struct address **out, size_t *count);

#endif
