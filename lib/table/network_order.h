/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_NETWORK_ORDER_H
#define LIB_TABLE_NETWORK_ORDER_H

/*
 * Which of many networks is the first that has an address: the first of those
 * that were added, not the narrowest. Networks lie within each other or apart,
 * so that all of them cut the addresses into stretches, each with one answer;
 * finding it takes as many steps as their number has binary digits.
 */

#include "lib/table/network.h"

struct network_order;

#define NETWORK_NONE SIZE_MAX

/* The order is that of the array, which is not needed any more. */
struct network_order *
network_order_new(const struct network *all, size_t count);
void network_order_free(struct network_order **o);
/* Position in the array; NETWORK_NONE. */
size_t network_order_first(const struct network_order *o,
    const struct network *address);

#endif
