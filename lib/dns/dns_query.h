/* SPDX-License-Identifier: ISC */
#ifndef LIB_DNS_DNS_QUERY_H
#define LIB_DNS_DNS_QUERY_H

/* Questions in flight, for dns.c only; in tasks only. */

#include "lib/dns/dns.h"

struct dns_query;

/*
 * Asks, unless the same is under way already; the answer is fetched with
 * dns_query_wait. Never NULL.
 */
struct dns_query *
dns_query_start(struct dns_asker *asker, const char *name, int type);
/*
 * DNS_OK with the answer, which lives until dns_query_free; or what went
 * wrong.
 */
enum dns_result dns_query_wait(struct dns_query *q, int64_t deadline,
    const unsigned char **message, int *length);
/* An answer that comes later is thrown away; until then asker->in_vain. */
void dns_query_free(struct dns_query **q);

#endif
