/* SPDX-License-Identifier: ISC */
#ifndef KEYD_NAMED_H
#define KEYD_NAMED_H

/*
 * Certificates by the name that a client asks for: tls_server_sni_maps. Their
 * private keys come into the keyring when they are asked for first, and stay
 * while they are among the NAMED_MAX that were asked for last.
 *
 * The name is a stranger's; what the tables hold is the site's.
 */

#include "keyd/keyring.h"
#include "lib/base/buf.h"

enum { NAMED_MAX = 2048 };

enum named_result { NAMED_NONE, NAMED_FOUND, NAMED_LATER, NAMED_UNUSED };

struct named;

/*
 * Before confinement. NULL with *error: a table that cannot be opened, or one
 * of a server, whom nobody should ask for private keys. "tables": Postfix's
 * list; empty: every answer is NAMED_UNUSED.
 */
struct named *
named_new(struct keyring *ring, const char *tables, struct buf *error);
void named_free(struct named **n);
/*
 * The certificates for that host name, or for the closest ".domain" above it:
 * PEM text without keys in *chain. NAMED_LATER: a line in *error.
 */
enum named_result named_find(struct named *n, const char *name,
    struct buf *chain, struct buf *error);

#endif
