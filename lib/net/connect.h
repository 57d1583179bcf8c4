/* SPDX-License-Identifier: ISC */
#ifndef LIB_NET_CONNECT_H
#define LIB_NET_CONNECT_H

#include <stdint.h>
#include "lib/net/address.h"

/*
 * A connected, non-blocking, close-on-exec socket, or -1 with errno
 * (ETIMEDOUT at the deadline, ECANCELED). "from" (may be NULL) is bound to
 * before.
 */
int connect_address(const struct address *to, const struct address *from,
    int64_t deadline);
int connect_unix(const char *path, int64_t deadline);

#endif
