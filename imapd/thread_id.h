/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_THREAD_ID_H
#define IMAPD_THREAD_ID_H

/*
 * THREADID, RFC 8474: what FETCH says, CACHE_THREADID keeps, and SEARCH
 * compares.
 */

#include "lib/base/buf.h"

enum { THREAD_ID_MAX = 64 };

/* "(T0123...)", never NIL. */
void thread_id_write(struct span header, struct buf *out);
/* Is that, as written, this id? */
bool thread_id_is(struct span written, struct span id);

#endif
