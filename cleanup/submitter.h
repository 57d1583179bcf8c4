/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_SUBMITTER_H
#define CLEANUP_SUBMITTER_H

/* What each program may say about a message that it submits. */

#include "lib/ipc/proto_cleanup.h"

/*
 * "caller" as ipc_caller gives it. NULL: it may; else the field that it may
 * not set so.
 */
const char *submitter_oversteps(const char *caller, const struct msg_submit *m);

#endif
