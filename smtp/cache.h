/* SPDX-License-Identifier: ISC */
#ifndef SMTP_CACHE_H
#define SMTP_CACHE_H

/*
 * Connections between two messages to the same destination: kept for
 * smtp_connection_cache_time_limit, then ended with QUIT. The key says all
 * that was agreed about the connection (destination, TLS, who we are), so
 * that no message travels over one that its own policy would not have made.
 */

#include "smtp/peer.h"

/* One that is alive and has nothing unexpected to say, or NULL. */
struct peer *cache_take(const char *key);
/* Would cache_give keep it? Then it does not wait. */
bool cache_keeps(const struct peer *p);
/*
 * Gives the peer up: it is kept, or ended where it cannot or must not be
 * used again. *p is NULL afterwards.
 */
void cache_give(struct peer **p, const char *key);
/* Ends all. */
void cache_close(void);

#endif
