/* SPDX-License-Identifier: ISC */
#include "lookup/query_service.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/log/log.h"
#include "lib/service/programs.h"

enum {
	ANSWER_S = 30,
	VALUE_MAX = 65536, /* limit of lookup.def */
};

void
query_before(const struct service *s)
{
	/* a name server that is silent is not waited for as long as usual */
	(void)setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
	table_main_settings(s->conf);
}

struct query_tables *
query_prepare(const struct service *s)
{
	const char *share = program_find(s->program)->settings;
	struct buf errors = BUF_INIT(65536);
	struct query_tables *q;
	struct master_cf *services =
	    master_cf_read(conf_directory(s->conf), s->conf, &errors, NULL);

	if (services == NULL)
		log_warning("%s", buf_text(&errors));
	buf_fini(&errors);
	/* modules of the name service are loaded while files can be opened */
	(void)getpwnam("postmaster");
	(void)getgrnam("postmaster");
	q = query_tables_open(s->conf, share, services);
	service_promise_too(table_promises());
	log_debug("%zu tables", query_tables_count(q));
	master_cf_free(&services);
	return q;
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

void
query_answer(struct query_tables *q, struct ipc *c, const void *message,
    struct arena *memory)
{
	const struct msg_query *m = message;
	const struct msg_address_item *from = m->keys.items;
	size_t count = m->keys.count;
	struct span *keys = arena_alloc(memory, count * sizeof(*keys));
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	struct msg_query_reply reply;
	size_t index = 0;
	enum table_result r;

	for (size_t i = 0; i < count; i++)
		keys[i] = span_of(from[i].address);
	r = query_tables_find(q, m->table, keys, count, &index, &value);
	r = check_value(r, &value);
	if (r == TABLE_AGAIN || r == TABLE_BROKEN)
		log_warning("%s lookup error: %s", m->table, buf_text(&value));
	reply = (struct msg_query_reply){
		.result = r,
		.index = index,
		.value =
		    arena_span(memory, span_take(buf_span(&value), VALUE_MAX)),
	};
	ipc_put(c, &message_query_reply, &reply);
	buf_fini(&value);
}

void
query_end_if_wanted(struct ipc *c)
{
	if (!table_restart_wanted())
		return;
	(void)ipc_flush(c, clock_in(ANSWER_S));
	exit(EXIT_SUCCESS);
}
