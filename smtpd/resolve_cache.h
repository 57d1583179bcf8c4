/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_RESOLVE_CACHE_H
#define SMTPD_RESOLVE_CACHE_H

/*
 * What lookup says about recipients, asked in batches: the first RCPT of a
 * pipelined row asks for all that have already arrived.
 */

#include "lib/ipc/proto_lookup.h"

struct resolve_cache;
struct session;

void resolve_cache_free(struct resolve_cache **c);
/*
 * The answer for an address; NULL when lookup cannot be asked. Valid until the
 * next call.
 */
const struct msg_resolved_item *
resolve_recipient(struct session *s, const char *address);

#endif
