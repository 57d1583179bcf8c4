/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_XFORWARD_H
#define SMTPD_XFORWARD_H

/*
 * XFORWARD: a content filter that brings a message back says whose it was. It
 * counts for the next transaction, and for the log and the rewriting of
 * headers alone: what the client may do follows from who it is.
 */

#include "smtpd/session.h"

struct forwarded;

enum { FORWARDED_ORIGIN_MAX = 900 };

/* ", orig_queue_id=..., orig_client=...", "" for what was not told. */
void
forwarded_origin(const struct forwarded *f, char out[FORWARDED_ORIGIN_MAX]);
/* "name[address]" of the first client; "otherwise" if that was not told. */
const char *forwarded_client(const struct forwarded *f, const char *otherwise);
/* Was it mail of our own people? "otherwise" if that was not told. */
bool forwarded_trusted(const struct forwarded *f, bool otherwise);

#endif
