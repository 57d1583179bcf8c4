/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_OWN_ADDRESSES_H
#define LOOKUP_OWN_ADDRESSES_H

/* The addresses of this machine: user@[192.0.2.1] is mail for us. */

#include "lib/base/span.h"

struct own_addresses;

/* From inet_interfaces and proxy_interfaces. Asks the system and DNS. */
struct own_addresses *
own_addresses_new(const char *inet_interfaces, const char *proxy_interfaces);
void own_addresses_free(struct own_addresses **o);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
bool own_addresses_has(const struct own_addresses *o, struct span literal);
/* What is between the brackets, less "IPv6:"; empty for no literal. */
struct span own_addresses_bare(struct span literal);

#endif
