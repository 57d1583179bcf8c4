/* SPDX-License-Identifier: ISC */
#ifndef SMTP_GENERIC_H
#define SMTP_GENERIC_H

/*
 * smtp_generic_maps: addresses in the form that the world outside shall see,
 * in the envelope that is said to the server and in the header of the
 * message. The tables are asked before a word is said to any server, so that
 * no message stops half-way for them.
 *
 * The log, reports and retries go on with the addresses of the queue file.
 */

#include "lib/base/why.h"
#include "lib/ipc/proto_deliver.h"
#include "smtp/header_stream.h"

struct generic;

/*
 * What becomes of the addresses of a request. *out is NULL when there are no
 * such tables. LATER when they cannot be asked.
 */
enum verdict
generic_new(const struct msg_deliver *m, struct generic **out, struct why *why);
void generic_free(struct generic **g); /* NULL is fine */
/* The address, or what takes its place. "g" may be NULL. */
const char *generic_address(const struct generic *g, const char *address);

/* The content on its way, with the addresses in its header replaced. */
struct generic_pass {
	const struct generic *generic;
	void (*sink)(void *with, struct span bytes);
	void *with;
	struct header_stream stream;
};

void generic_pass_init(struct generic_pass *p, const struct generic *g,
    void (*sink)(void *with, struct span bytes), void *with);
void generic_pass_put(struct generic_pass *p, struct span in);
void generic_pass_end(struct generic_pass *p); /* also frees */

#endif
