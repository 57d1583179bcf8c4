/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TICKET_ROOT_H
#define LIB_TLS_TICKET_ROOT_H

/*
 * The secrets that keys of session tickets are derived from: this hour's and
 * the former one's. In memory that master makes and gives to each keyd: it
 * outlives them, and reloads, and is on no disk: it is in no core file, and
 * locked against being swapped, where the system grants that. Master uses none
 * of it: it wipes what nobody has asked for in time. A secret is random, not
 * derived from the one before, so that who
 * learns it opens the tickets of two hours at most.
 */

#include "lib/base/span.h"
#include "lib/tls/tls.h"

struct ticket_root;

enum { TICKET_ROOT_HOUR_MS = 3600 * 1000 };

/* The memory, close-on-exec. -1 with errno. */
int ticket_root_create(void);
/*
 * Master's, and keyd's before it loses its rights: takes the descriptor over.
 * NULL with errno: not such memory, or no /proc. It needs the promise "counts".
 */
struct ticket_root *ticket_root_open(int fd);
void ticket_root_close(struct ticket_root **r);

/*
 * What has had its time is gone: the former secret an hour after its own, all
 * after two hours. Waits for nobody: then the next call does it.
 */
void ticket_root_wipe_old(struct ticket_root *r, int64_t now);
/*
 * The keys of this program's service, for what the asker says it is about (its
 * certificate). None of the three leads to the keys of others. "now": clock_ms.
 * False: no random numbers.
 */
bool ticket_root_keys(struct ticket_root *r, const char *program,
    const char *service, struct span context, int64_t now,
    struct tls_ticket_secrets *out);

#endif
