/* SPDX-License-Identifier: ISC */
/*
 * lookup-smtp: the opener of the SMTP client's own tables.
 *
 * SECURITY. As lookup, but only for tables named in settings of smtp, which
 * hold the passwords for relays (those that a server serves are asked of
 * lookup-smtp-server); programs.def lets nobody but smtp reach it, and lookup
 * opens none of them. So neither a captured smtpd, nor a lookup
 * that keys made by strangers have broken, comes near them. A captured smtp
 * can ask for any key: it is the one that has to send the passwords.
 *
 * It also says what generic(5) makes of addresses, and knows the settings of
 * rewriting for that, but none of lookup's tables.
 */
#include <string.h>

#include "lookup/address_query.h"
#include "lookup/generic.h"
#include "lookup/query_service.h"

enum {
	ADDRESS_MAX = 1024, /* limits of lookup.def */
	TEXT_MAX = 512,
};

/* Process lifetime. */
static struct query_tables *tables;
static struct maps *maps;

static void
before(const struct service *s)
{
	struct master_cf *services = query_services(s);

	query_before(s, "lookup-smtp-server");
	maps = maps_open_rules(s->conf);
	tables = query_prepare(s, services);
	master_cf_free(&services);
}

static void
answer_generic(struct ipc *c, const void *message, struct arena *memory)
{
	const struct msg_generic *q = message;
	const struct msg_address_item *from = q->addresses.items;
	size_t count = q->addresses.count;
	struct msg_address_item *items =
	    arena_alloc(memory, count * sizeof(*items));
	struct msg_rewrite_reply reply = { .text = "",
		.addresses = { items, count } };
	struct why why;
	enum verdict v = OK;

	for (size_t i = 0; v == OK && i < count; i++) {
		const char *address = from[i].address;

		v = generic_map(maps, tables, q->tables, memory, &address,
		    &why);
		/* what would not fit stays as it was */
		items[i].address =
		    strlen(address) <= ADDRESS_MAX ? address : from[i].address;
	}
	reply.verdict = v;
	if (v != OK) {
		reply.addresses.count = 0;
		reply.text =
		    arena_span(memory, span_take(span_of(why.text), TEXT_MAX));
	}
	ipc_put(c, &message_rewrite_reply, &reply);
}

static void
answer_query(struct ipc *c, const void *message, struct arena *memory)
{
	address_query_answer(maps, tables, c, message, memory);
}

static const struct query_verb verbs[] = {
	{ &message_query, answer_query },
	{ &message_generic, answer_generic },
	{ NULL, NULL },
};

static void
session(const struct service *s, int fd)
{
	(void)s;
	query_serve(fd, verbs);
}

int
main(int argc, char **argv)
{
	static const struct service_spec spec = {
		.program = "lookup-smtp",
		.style = SERVICE_TASKS,
		.stays = true,
		.protocol = &protocol_lookup,
		.before = before,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
