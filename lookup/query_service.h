/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_QUERY_SERVICE_H
#define LOOKUP_QUERY_SERVICE_H

/* What lookup and lookup-smtp do alike: tables asked for by name. */

#include "lib/service/service.h"
#include "lookup/query.h"

/* First of all: what tables of servers take from main.cf. */
void query_before(const struct service *s);
/*
 * With the rights of master, when all others are open: opens the tables of the
 * settings that the program is told of, and loads the modules of the name
 * service.
 */
struct query_tables *query_prepare(const struct service *s);
/* Answers a "query" of lookup.def; its texts go into the arena. */
void query_answer(struct query_tables *q, struct ipc *c, const void *message,
    struct arena *memory);
/*
 * A table changed that only root can open: sends the answer and ends; master
 * starts another process.
 */
void query_end_if_wanted(struct ipc *c);

#endif
