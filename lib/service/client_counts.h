/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_CLIENT_COUNTS_H
#define LIB_SERVICE_CLIENT_COUNTS_H

/*
 * Connections and events per client, over all processes of a service: the
 * work of Postfix's anvil. What the numbers lead to is the program's matter.
 *
 * The counters lie in a file in data_directory that all processes map; each
 * process counts its connections in a column of its own, held by a lock that
 * the kernel gives back when the process dies, so that a killed process
 * leaves nothing counted.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/net/address.h"

enum {
	CLIENT_KEY_SIZE = 16,
	CLIENT_EVENTS = 5, /* kinds that a program may count */
};

/* A client, as the network that counts as one. */
struct client_key {
	unsigned char bytes[CLIENT_KEY_SIZE];
};

struct client_count {
	unsigned int open; /* connections, this one too */
	uint32_t events; /* in this unit of time */
	unsigned int slot;
	bool counted; /* until client_counts_disconnect */
};

/* Before confinement. Without the file, the process counts alone. */
void client_counts_open(const char *directory, const char *program,
    const char *service);

/*
 * An IPv4 or IPv6 address, all but so many leading bits taken away; all others
 * are one client.
 */
void client_key_of(const struct address *a, unsigned int ipv4_bits,
    unsigned int ipv6_bits, struct client_key *out);
/*
 * Counts the connection and the event; client_counts_disconnect must follow.
 * All zero when the table is full of clients that are connected.
 */
struct client_count client_counts_connect(const struct client_key *key,
    unsigned int event, int64_t unit_ms);
/* Once; what was not counted is fine. */
void client_counts_disconnect(struct client_count *n);
/* Counts an event; how many there were of its kind in this unit of time. */
uint32_t client_counts_event(const struct client_key *key, unsigned int event,
    int64_t unit_ms);

#endif
