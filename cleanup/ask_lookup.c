/* SPDX-License-Identifier: ISC */
#include "cleanup/ask_lookup.h"

#include "lib/base/clock.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/service/service.h"
#include "lib/table/table.h"

enum { PATIENCE_S = 300 }; /* for slow tables; a submitter waits as long */

static enum verdict
unavailable(struct why *why)
{
	return why_set(why, "4.3.0", "address resolver failure");
}

/* The reply lives until the connection is given back with finish(). */
static struct ipc *
ask(const struct ipc_message *kind, const void *message,
    const struct ipc_message *expected, const void **reply)
{
	const struct service_question q = { kind, message, expected };
	struct ipc *c;

	*reply = service_question("lookup", &protocol_lookup, &q,
	    clock_in(PATIENCE_S), &c);
	return c;
}

static void
finish(struct ipc **c)
{
	service_done("lookup", c, true);
}

static struct ipc_list
address_items(struct arena *a, const char *const *addresses, size_t count)
{
	struct msg_address_item *items = arena_alloc(a, count * sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i].address = addresses[i];
	return (struct ipc_list){ items, count };
}

static enum verdict
reply_verdict(uint64_t verdict, const char *dsn, const char *text,
    struct why *why)
{
	if (verdict == OK)
		return OK;
	if (!why_dsn_valid(dsn) || dsn[0] != (verdict == NEVER ? '5' : '4'))
		dsn = verdict == NEVER ? "5.1.1" : "4.3.0";
	return why_set(why, dsn, "%s", text);
}

enum verdict
ask_expand(struct arena *a, const char *sender, bool mapped,
    const char *const *addresses, size_t count, struct expansion **out,
    size_t *out_count, struct why *why)
{
	struct msg_expand q = { .sender = sender,
		.unmapped = !mapped,
		.recipients = address_items(a, addresses, count) };
	const struct msg_expanded_item *item;
	const struct msg_expand_reply *reply;
	const void *message;
	struct ipc *c =
	    ask(&message_expand, &q, &message_expand_reply, &message);
	enum verdict v;

	if (c == NULL)
		return unavailable(why);
	reply = message;
	item = reply->results.items;
	v = reply_verdict(reply->verdict, reply->dsn, reply->text, why);
	*out_count = v == OK ? reply->results.count : 0;
	*out = arena_alloc(a, *out_count * sizeof(**out));
	for (size_t i = 0; i < *out_count && v == OK; i++, item++) {
		if (item->index >= count)
			v = unavailable(why);
		(*out)[i] = (struct expansion){ item->index,
			arena_text(a, item->address),
			arena_text(a, item->transport),
			arena_text(a, item->nexthop) };
	}
	finish(&c);
	return v;
}

enum verdict
ask_rewrite(struct arena *a, enum rewrite_kind kind, const char **addresses,
    size_t count, struct why *why)
{
	struct msg_rewrite q = { .kind = kind,
		.addresses = address_items(a, addresses, count) };
	const struct msg_rewrite_reply *reply;
	const struct msg_address_item *item;
	const void *message;
	struct ipc *c =
	    ask(&message_rewrite, &q, &message_rewrite_reply, &message);
	enum verdict v;

	if (c == NULL)
		return unavailable(why);
	reply = message;
	item = reply->addresses.items;
	v = reply_verdict(reply->verdict, "", reply->text, why);
	if (v == OK && reply->addresses.count != count)
		v = unavailable(why);
	for (size_t i = 0; i < count && v == OK; i++)
		addresses[i] = arena_text(a, item[i].address);
	finish(&c);
	return v;
}

enum verdict
ask_address_query(struct arena *a, const char *tables, const char *address,
    const char **value, struct why *why)
{
	struct msg_key_item key = { .key = address };
	struct msg_query q = { .table = tables,
		.address = true,
		.keys = { &key, 1 } };
	const struct msg_query_reply *reply;
	const void *message;
	struct ipc *c = ask(&message_query, &q, &message_query_reply, &message);
	enum verdict v = OK;

	*value = NULL;
	if (c == NULL)
		return unavailable(why);
	reply = message;
	if (reply->result == TABLE_FOUND)
		*value = arena_text(a, reply->value);
	else if (reply->result != TABLE_NONE)
		v = why_set(why, "4.3.0", "table lookup problem: %s",
		    reply->value);
	finish(&c);
	return v;
}
