/* SPDX-License-Identifier: ISC */
#include "lookup/query_service.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/service/ask_server.h"
#include "lib/service/askers.h"
#include "lib/service/programs.h"
#include "lib/table/server_set.h"
#include "lib/task/task.h"

enum {
	ANSWER_S = 30,
	TURN_MAX = 16, /* questions before the others have their turn */
	IDLE_S = 100,
	PATIENCE_S = 100, /* as long as who asks lookup waits */
	VALUE_MAX = 65536, /* limit of lookup.def */
};

/* Process lifetime; NULL in lookup and lookup-smtp. */
static struct query_tables *tables_of_server;

static void
prepare_tables(const struct service *s)
{
	/* a name server that is silent is not waited for as long as usual */
	(void)setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
	table_main_settings(s->conf);
	table_utf8(conf_is_yes(s->conf, "smtputf8_enable"));
}

void
query_before(const struct service *s, const char *server_service)
{
	prepare_tables(s);
	ask_server_open(server_service, PATIENCE_S);
}

struct master_cf *
query_services(const struct service *s)
{
	struct buf errors = BUF_INIT(65536);
	struct master_cf *services =
	    master_cf_read(conf_directory(s->conf), s->conf, &errors, NULL);

	if (services == NULL)
		log_warning("%s", buf_text(&errors));
	buf_fini(&errors);
	return services;
}

static struct query_tables *
open_tables(const struct service *s, const struct master_cf *services,
    enum query_which which)
{
	const char *share = program_find(s->program)->settings;
	struct query_tables *q;

	/* modules of the name service are loaded while files can be opened */
	(void)getpwnam("postmaster");
	(void)getgrnam("postmaster");
	q = query_tables_open(s->conf, share, services, which);
	service_promise_too(table_promises());
	log_debug("%zu tables", query_tables_count(q));
	return q;
}

struct query_tables *
query_prepare(const struct service *s, const struct master_cf *services)
{
	return open_tables(s, services, QUERY_ALL);
}

/* Only what a text field of the protocol can hold. */
static enum table_result
check_value(enum table_result r, struct buf *value)
{
	if (r != TABLE_FOUND ||
	    (value->n <= VALUE_MAX &&
		span_find(buf_span(value), '\0') == value->n))
		return r;
	buf_reset(value);
	buf_add_text(value, "the value is too long or no text");
	return TABLE_BROKEN;
}

static struct msg_query_reply
find(struct query_tables *q, const struct msg_query *m, struct arena *memory)
{
	const struct msg_key_item *from = m->keys.items;
	size_t count = m->keys.count;
	struct span *keys = arena_alloc(memory, count * sizeof(*keys));
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	struct msg_query_reply reply;
	size_t index = 0;
	enum table_result r;

	for (size_t i = 0; i < count; i++)
		keys[i] = span_of(from[i].key);
	r = query_tables_find(q, m->table, keys, count, &index, &value);
	r = check_value(r, &value);
	/* what lookup-server says, lookup logs */
	if ((r == TABLE_AGAIN || r == TABLE_BROKEN) && tables_of_server == NULL)
		log_warning("%s lookup error: %s", m->table, buf_text(&value));
	reply = (struct msg_query_reply){
		.result = r,
		.index = index,
		.value =
		    arena_span(memory, span_take(buf_span(&value), VALUE_MAX)),
	};
	buf_fini(&value);
	return reply;
}

void
query_answer(struct query_tables *q, struct ipc *c, const void *message,
    struct arena *memory)
{
	const struct msg_query_reply reply = find(q, message, memory);

	ipc_put(c, &message_query_reply, &reply);
}

static bool
put_answer(struct ipc *c, const struct query_verb *verb,
    const struct ipc_message *m, const void *message, struct arena *memory)
{
	while (verb->question != NULL && verb->question != m)
		verb++;
	if (verb->question == NULL) {
		ipc_refuse(c, "%s is no question", m->name);
		return false;
	}
	verb->answer(c, message, memory);
	return true;
}

/* Connections of this process, from accept to close. */
static bool
serve(struct ipc *c, const struct query_verb *verbs, struct arena *memory)
{
	const struct ipc_message *m;
	const void *message;
	bool fine = true;

	if (ipc_receive(c, &m, &message, INT64_MAX) != IPC_OK)
		return false;
	if (!table_restart_wanted())
		fine = put_answer(c, verbs, m, message, memory);
	if (table_restart_wanted()) {
		/* by tables that are no more: there is another who has them */
		askers_leave();
		ipc_decline(c);
		return false;
	}
	return fine && ipc_flush(c, clock_in(ANSWER_S)) == IPC_OK;
}

void
query_serve(int fd, const struct query_verb *verbs)
{
	struct asker asker;
	struct ipc *c = ipc_new(fd, &protocol_lookup, "client");
	struct arena *memory = arena_new();
	unsigned int turn = 0;

	asker_add(&asker, fd);
	while (serve(c, verbs, memory)) {
		arena_reset(memory);
		if (++turn % TURN_MAX == 0 && wait_yield() == WAIT_CANCELLED)
			break;
	}
	asker_drop(&asker);
	arena_free(&memory);
	ipc_free(&c);
}

void
query_server_before(const struct service *s)
{
	struct master_cf *services = query_services(s);

	prepare_tables(s);
	server_set_insist();
	tables_of_server = open_tables(s, services, QUERY_SERVERS);
	master_cf_free(&services);
}

static struct msg_query_reply
fetch(const struct msg_fetch *m, struct arena *memory)
{
	struct msg_key_item item = { .key = m->key };
	const struct msg_query question = { .table = m->table,
		.keys = { &item, 1 } };
	struct msg_query_reply reply =
	    find(tables_of_server, &question, memory);

	reply.down = query_tables_server_down(tables_of_server, m->table);
	return reply;
}

static struct msg_query_reply
concerns(const struct msg_concerns *m, struct arena *memory)
{
	struct buf why = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = query_tables_concern(tables_of_server, m->table,
	    span_of(m->key), &why);
	const struct msg_query_reply reply = { .result = r,
		.value =
		    arena_span(memory, span_take(buf_span(&why), VALUE_MAX)) };

	buf_fini(&why);
	return reply;
}

_Noreturn static void
end(void)
{
	log_flush();
	exit(EXIT_SUCCESS);
}

/* False: the connection is to end. */
static bool
serve_one(struct ipc *c, struct arena *memory)
{
	const struct ipc_message *m;
	const void *message;
	struct msg_query_reply reply = { .value = "" };
	bool fine;

	if (ipc_receive(c, &m, &message, clock_in(ANSWER_S)) != IPC_OK)
		return false;
	if (m == &message_fetch) {
		reply = fetch(message, memory);
	} else if (m == &message_concerns) {
		reply = concerns(message, memory);
	} else {
		ipc_refuse(c, "%s is no question", m->name);
		return false;
	}
	/* by settings that are no more: lookup asks another process */
	if (table_restart_wanted())
		reply =
		    (struct msg_query_reply){ .value = "", .restart = true };
	fine = ipc_send(c, &message_query_reply, &reply, clock_in(ANSWER_S)) ==
	    IPC_OK;
	if (table_restart_wanted())
		end();
	return fine;
}

void
query_server_session(const struct service *s, int fd)
{
	struct ipc *c = ipc_new(fd, &protocol_lookup, "lookup");
	struct arena *memory = arena_new();

	(void)s;
	while (service_next(c, clock_in(IDLE_S)) && serve_one(c, memory))
		arena_reset(memory);
	arena_free(&memory);
	ipc_free(&c);
}
