/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_WIRE_H
#define LIB_TABLE_WIRE_H

/*
 * The connection to a table's server that speaks a protocol of lines or
 * counted bytes. It is kept between questions; one that the server has
 * closed, or that went wrong, is made anew at the next. A server that cannot
 * be had is left alone for a while (server_set.h).
 */

#include "lib/base/buf.h"
#include "lib/net/address.h"
#include "lib/net/stream.h"
#include "lib/table/server_set.h"

/*
 * What a server's name stands for. getaddrinfo(3) waits as long as the
 * system's resolver likes, outside of timeout_ms: so it is not asked for
 * numeric addresses, nor again within WIRE_FRESH_MS, and where it has no
 * answer the last good one is used for WIRE_KEPT_MS.
 */
enum {
	WIRE_ADDRESSES = 8,
	WIRE_FRESH_MS = 60000,
	WIRE_KEPT_MS = 3600000,
};
struct wire_host {
	struct address addresses[WIRE_ADDRESSES];
	size_t count;
	int64_t found; /* when */
};

struct wire {
	struct server_set servers; /* one */
	struct wire_host host;
	int64_t timeout_ms; /* of a whole question */
	int64_t idle_ms;
	struct buf error; /* why it cannot be had */
};

/*
 * "inet:host:port", "inet:[address]:port" or "unix:/path". False, with
 * *error, for anything else.
 */
bool wire_init(struct wire *w, struct span endpoint, int64_t timeout_ms,
    int64_t idle_ms, struct buf *error);
void wire_fini(struct wire *w);

/*
 * One question and its answer: sends "question" and calls "read", which reads
 * all of the answer from the stream and says IO_OK when it was one. A
 * connection that had been kept and turns out dead is replaced, once, and
 * asked again. False, with *why: no answer.
 */
typedef enum io wire_read(struct stream *s, void *with);
bool wire_ask(struct wire *w, struct span question, wire_read *read, void *with,
    struct buf *why);

#endif
