/* SPDX-License-Identifier: ISC */
#include "smtpd/ask.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

enum { ANSWER_DEADLINE_S = 100, KEYS_MAX = 64 };

static const char service[] = "lookup";

static const void *
exchange(struct ipc **c, const struct ipc_message *kind, const void *asked,
    const struct ipc_message *answer)
{
	const struct service_question q = { kind, asked, answer };

	return service_question(service, &protocol_lookup, &q,
	    clock_in(ANSWER_DEADLINE_S), c);
}

/* What is too long for a key is in no table. */
static enum table_result
ask(const char *tables, const struct span *keys, size_t count, bool address,
    struct buf *value)
{
	struct msg_key_item items[KEYS_MAX];
	struct arena *a = arena_new();
	struct msg_query question = { .table = tables, .address = address };
	const struct msg_query_reply *reply;
	struct ipc *c;
	enum table_result result = TABLE_AGAIN;

	size_t n = 0;

	for (size_t i = 0; i < count && n < KEYS_MAX; i++)
		if (keys[i].n <= TABLE_KEY_MAX)
			items[n++].key = arena_span(a, keys[i]);
	question.keys.items = items;
	question.keys.count = n;
	buf_reset(value);
	if (n == 0) {
		arena_free(&a);
		return TABLE_NONE;
	}
	reply = exchange(&c, &message_query, &question, &message_query_reply);
	if (reply == NULL) {
		buf_add_text(value, "lookup does not answer");
	} else {
		result = (enum table_result)reply->result;
		buf_add_text(value, reply->value);
		service_done(service, &c, true);
	}
	arena_free(&a);
	return result;
}

enum table_result
ask_tables(const char *tables, const struct span *keys, size_t count,
    struct buf *value)
{
	return ask(tables, keys, count, false, value);
}

enum table_result
ask_address_tables(const char *tables, struct span address, struct buf *value)
{
	return ask(tables, &address, 1, true, value);
}

static const struct msg_resolved_item *
copy_answers(struct arena *a, const struct ipc_list *list)
{
	const struct msg_resolved_item *from = list->items;
	struct msg_resolved_item *to =
	    arena_alloc(a, list->count * sizeof(*to));

	for (size_t i = 0; i < list->count; i++) {
		to[i] = from[i];
		to[i].dsn = arena_text(a, from[i].dsn);
		to[i].text = arena_text(a, from[i].text);
		to[i].address = arena_text(a, from[i].address);
		to[i].transport = arena_text(a, from[i].transport);
		to[i].nexthop = arena_text(a, from[i].nexthop);
	}
	return to;
}

const struct msg_resolved_item *
ask_resolve(struct arena *a, const char *service_key, const char *sender,
    bool settled, const struct msg_address_item *addresses, size_t count)
{
	struct msg_resolve question = { .sender = sender,
		.sender_settled = settled,
		.service = service_key != NULL ? service_key : "",
		.accepted = service_key == NULL };
	struct msg_address_item *items = arena_alloc(a, count * sizeof(*items));
	const struct msg_resolve_reply *reply;
	const struct msg_resolved_item *answers = NULL;
	struct ipc *c;

	for (size_t i = 0; i < count; i++)
		items[i] = addresses[i];
	question.recipients.items = items;
	question.recipients.count = count;
	reply =
	    exchange(&c, &message_resolve, &question, &message_resolve_reply);
	if (reply == NULL)
		return NULL;
	if (reply->results.count == count)
		answers = copy_answers(a, &reply->results);
	else
		log_warning("%s: %zu answers to %zu questions", service,
		    reply->results.count, count);
	service_done(service, &c, answers != NULL);
	return answers;
}
