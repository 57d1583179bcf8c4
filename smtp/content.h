/* SPDX-License-Identifier: ISC */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

/* The content of a message, read from the descriptor qmgr passed. */

#include "lib/ipc/proto_deliver.h"
#include "lib/net/stream.h"
#include "smtp/generic.h"

/*
 * Calls for each part of the content as it is in the queue, until visit says
 * false. 0, or errno.
 */
int content_each_part(const struct msg_deliver *m,
    bool (*visit)(void *with, struct span part), void *with);

struct content_plan {
	const struct generic *generic; /* may be NULL */
	struct downgrade *conversion; /* NULL: goes as it is */
	const char *obstacle; /* why such a server cannot have it, or NULL */
};

/*
 * How it must go to a server that takes 8-bit content, or does not. *error
 * is errno when the file cannot be read.
 */
struct content_plan content_plan(const struct msg_deliver *m,
    const struct generic *g, bool peer_8bit, int *error);
void content_plan_fini(struct content_plan *plan);
/* Bytes above 127 in the header (RFC 6532)? */
bool content_has_8bit_header(const struct msg_deliver *m);
/*
 * Sends all, fit for the wire, without the final dot. *error is errno when
 * the file could not be read; then what was sent is no message.
 */
enum io content_send(const struct msg_deliver *m,
    const struct content_plan *plan, struct stream *to, int *error);

#endif
