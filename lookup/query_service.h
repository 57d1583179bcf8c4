/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_QUERY_SERVICE_H
#define LOOKUP_QUERY_SERVICE_H

/*
 * What lookup and lookup-smtp do alike: questions of many connections, each in
 * a task, and tables asked for by name. And what those two ask, lookup-server
 * and lookup-smtp-server: the same for tables of servers, one at a time.
 */

#include "lib/base/mem.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/service/service.h"
#include "lookup/query.h"

/*
 * First of all: what tables take from main.cf, and who asks those that a
 * server serves.
 */
void query_before(const struct service *s, const char *server_service);
/* master.cf; NULL and a warning in the log when it cannot be read. */
struct master_cf *query_services(const struct service *s);
/*
 * With the rights of master, when all others are open: opens the tables of the
 * settings that the program is told of, and loads the modules of the name
 * service.
 */
struct query_tables *
query_prepare(const struct service *s, const struct master_cf *services);
/* Answers a "query" of lookup.def; its texts go into the arena. */
void query_answer(struct query_tables *q, struct ipc *c, const void *message,
    struct arena *memory);
/*
 * One connection: answer() of its verb puts the answer to each question; what
 * is none ends it. Texts live in the arena until answer() returns. If a
 * table changed that only root can open, the process takes no more questions,
 * and ends behind the answers under way; master starts another.
 */
struct query_verb {
	const struct ipc_message *question;
	void (
	    *answer)(struct ipc *c, const void *message, struct arena *memory);
};
/* Verbs up to one without a question. */
void query_serve(int fd, const struct query_verb *verbs);

/* All of lookup-server, which answers "fetch" and "concerns". */
void query_server_before(const struct service *s);
void query_server_session(const struct service *s, int fd);

#endif
