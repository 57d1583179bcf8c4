/* SPDX-License-Identifier: ISC */
#include "smtp/ask_lookup.h"

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

static const char service[] = "lookup-smtp";

static const void *
ask_within(int seconds, struct ipc **c, const struct ipc_message *question,
    const void *asked, const struct ipc_message *answer)
{
	const struct service_question q = { question, asked, answer };

	return service_question(service, &protocol_lookup, &q,
	    clock_in(seconds), c);
}

const void *
ask_lookup(struct ipc **c, const struct ipc_message *question,
    const void *asked, const struct ipc_message *answer)
{
	return ask_within(ASK_PATIENTLY_S, c, question, asked, answer);
}

void
ask_lookup_done(struct ipc **c)
{
	service_done(service, c, true);
}

enum table_result
ask_table(struct arena *a, const char *setting, const char *table,
    const char *const *keys, size_t count, const char **value)
{
	return ask_table_within(ASK_PATIENTLY_S, a, setting, table, keys, count,
	    value);
}

static enum table_result
ask_query(int seconds, struct arena *a, const char *setting,
    const struct msg_query *query, const char **value)
{
	const struct msg_query_reply *reply;
	enum table_result r = TABLE_AGAIN;
	struct ipc *c;

	*value = NULL;
	reply = ask_within(seconds, &c, &message_query, query,
	    &message_query_reply);
	if (reply == NULL) {
		log_warning("%s: lookup does not answer", setting);
		return r;
	}
	r = (enum table_result)reply->result;
	if (r == TABLE_FOUND)
		*value = arena_text(a, reply->value);
	else if (r != TABLE_NONE)
		log_warning("%s: %s", setting, reply->value);
	ask_lookup_done(&c);
	return r;
}

enum table_result
ask_table_address(struct arena *a, const char *setting, const char *table,
    const char *address, const char **value)
{
	struct msg_key_item item = { .key = address };
	const struct msg_query query = { .table = table,
		.address = true,
		.keys = { &item, 1 } };

	return ask_query(ASK_PATIENTLY_S, a, setting, &query, value);
}

enum table_result
ask_table_within(int seconds, struct arena *a, const char *setting,
    const char *table, const char *const *keys, size_t count,
    const char **value)
{
	struct msg_key_item items[ASK_KEYS_MAX] = { 0 };
	const struct msg_query query = { .table = table,
		.keys = { items, count } };

	ensure(count <= ASK_KEYS_MAX);
	for (size_t i = 0; i < count; i++)
		items[i].key = keys[i];
	return ask_query(seconds, a, setting, &query, value);
}
