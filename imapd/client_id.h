/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_CLIENT_ID_H
#define IMAPD_CLIENT_ID_H

/* What a client says of itself with ID (RFC 2971), before and after login. */

#include "lib/base/buf.h"
#include "lib/imap/imap_read.h"

enum { CLIENT_ID_LOG_MAX = 1000 };

/*
 * The command's arguments, for a log line: "name=<mutt>, version=<2.2>",
 * printable, and without what ends a field there; nothing for NIL. False: they
 * are no list of names and values, or too many.
 */
bool client_id_read(const struct imap_command *c, struct buf *out);

#endif
