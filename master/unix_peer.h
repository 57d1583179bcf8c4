/* SPDX-License-Identifier: ISC */
#ifndef MASTER_UNIX_PEER_H
#define MASTER_UNIX_PEER_H

/*
 * UNIX sockets of other software that the LMTP client may be connected to.
 * The client has no file system; master connects for it, but only to what
 * the administrator wrote down: "unix:PATH" as a word of some setting in
 * main.cf, or of a -o in master.cf.
 */

#include "master/plan.h"

/* "name" is what the client asks for, "unix:PATH". */
bool unix_peer_allowed(const struct plan *p, const char *name);

/* Is the name a word of this value? Pure; for its test. */
bool unix_peer_in_value(const char *value, const char *name);

#endif
