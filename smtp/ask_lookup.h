/* SPDX-License-Identifier: ISC */
#ifndef SMTP_ASK_LOOKUP_H
#define SMTP_ASK_LOOKUP_H

/*
 * The client's own tables are lookup-smtp's. Only the task waits that has the
 * question.
 */

#include "lib/ipc/proto_lookup.h"

/*
 * One question of lookup.def. The answer lives until the connection is given
 * back with ask_lookup_done. NULL: there is none, and nothing to give back.
 */
const void *ask_lookup(struct ipc **c, const struct ipc_message *question,
    const void *asked, const struct ipc_message *answer);
void ask_lookup_done(struct ipc **c);

#endif
