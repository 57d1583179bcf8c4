/* SPDX-License-Identifier: ISC */
#ifndef LIB_NET_PORT_H
#define LIB_NET_PORT_H

/*
 * Ports of TCP by name: those of mail in any case, wherever we run, then those
 * of services(5). The file is read here, not by the C library: what asks for
 * ports talks with strangers, cannot open anything by then, and is not to load
 * what nsswitch.conf(5) names.
 */

#include <stdint.h>
#include "lib/base/span.h"

#define PORT_NAMES_FILE "/etc/services"

/* Anew; 0, or errno: then the names of mail are all there are. */
int port_names_read(const char *path);
/* A number, or a name; 0: neither. Opens nothing. */
uint16_t port_of(struct span text);

#endif
