/* SPDX-License-Identifier: ISC */
#ifndef LIB_DNS_DNS_HOSTS_H
#define LIB_DNS_DNS_HOSTS_H

/* The system's hosts file; dns_hosts() of dns.h asks it. */

#include "lib/dns/dns.h"

/* Takes the place of what was read before; a missing file is an empty one. */
void dns_hosts_read(const char *path);

#endif
