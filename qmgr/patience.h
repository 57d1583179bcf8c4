/* SPDX-License-Identifier: ISC */
#ifndef QMGR_PATIENCE_H
#define QMGR_PATIENCE_H

/*
 * How long a queue file that somebody else has locked is left alone.
 *
 * The lock is an earlier qmgr's, or that of an agent which delivers for it. An
 * agent that strangers have taken over can keep its descriptor, and with that
 * the lock, as long as it lives. So when no earlier qmgr is there any more,
 * and the lock stays for ipc_timeout, after which a qmgr gives up on an agent,
 * the mail goes on without it: at worst it arrives twice.
 */

#include <stdbool.h>

/* Is it to be left alone for now? */
bool patience_in_use(int fd, const char *id);

#endif
