/* SPDX-License-Identifier: ISC */
/*
 * lookup: the opener of tables, and what addresses mean.
 *
 * SECURITY. Started by root, it opens the tables of main.cf and master.cf
 * (their folders stay open), and then becomes the table user, who owns
 * nothing, with the promise to read files. Tables of servers it asks of
 * lookup-server: it has no password of theirs. Hostile input: addresses and
 * keys made by strangers, relayed by network programs that an attacker may have
 * taken over. Such a program can look up any key in the tables of the settings
 * that programs.def lists for lookup, and in no other file; those of the SMTP
 * client, with its passwords, are lookup-smtp's. Patterns are matched within
 * limits. Nothing is ever written.
 *
 * A table that changed and can be read by root alone makes this process end:
 * it answers nothing more, and those who asked ask another.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "lib/service/service.h"
#include "lookup/address_query.h"
#include "lookup/maps.h"
#include "lookup/query.h"
#include "lookup/query_service.h"
#include "lookup/recipient.h"
#include "lookup/views.h"

enum {
	TEXT_MAX = 512, /* limits of lookup.def */
	NEXTHOP_MAX = 512,
	TRANSPORT_MAX = 64,
	ADDRESS_MAX = 1024,
	DELIVERIES_MAX = 50000,
};

/* Process lifetime. */
static struct maps *maps;
static struct query_tables *tables;
static struct views *views;

static void
before(const struct service *s)
{
	struct master_cf *services = query_services(s);

	query_before(s, "lookup-server");
	maps = maps_open(s->conf);
	views = views_open(s->conf, services, maps);
	tables = query_prepare(s, services);
	master_cf_free(&services);
}

static const char *
cut(const char *text, size_t limit, struct arena *memory)
{
	return strlen(text) <= limit ?
	    text :
	    arena_span(memory, span_take(span_of(text), limit));
}

/* A destination that does not fit would be another: say so instead. */
static enum verdict
check_fits(const char *address, const struct routing *r, struct why *why)
{
	if (strlen(address) > ADDRESS_MAX) {
		log_warning("recipient %.200s has become longer than %d bytes: "
			    "returned",
		    address, ADDRESS_MAX);
		return why_set(why, "5.1.3", "bad address syntax");
	}
	if (strlen(r->transport) > TRANSPORT_MAX ||
	    strlen(r->nexthop) > NEXTHOP_MAX) {
		log_warning("%s: transport (%d bytes at most) or next hop (%d) "
			    "for recipient %.200s is too long: its mail waits "
			    "until that is mended: %.200s:%.200s",
		    r->from != NULL ? r->from : "routing", TRANSPORT_MAX,
		    NEXTHOP_MAX, address, r->transport, r->nexthop);
		return why_set(why, "4.3.5", "Server configuration error");
	}
	return OK;
}

/* "given" as it was asked: that fits, and who sent it knows it. */
static void
fill_answer(struct msg_resolved_item *to, struct recipient *r,
    const char *given, struct arena *memory)
{
	enum verdict fits = check_fits(r->address, &r->routing, &r->why);

	if (fits != OK) {
		r->verdict = fits;
		r->routing = (struct routing){ "", "", NULL };
		r->address = given;
	}
	*to = (struct msg_resolved_item){
		.verdict = r->verdict,
		.dsn = "",
		.text = "",
		.class = r->class,
		.address = r->address,
		.final = r->verdict == OK && r->final,
		.transport = r->routing.transport,
		.nexthop = r->routing.nexthop,
	};
	if (r->verdict != OK) {
		to->dsn = arena_text(memory, r->why.dsn);
		to->text =
		    cut(arena_text(memory, r->why.text), TEXT_MAX, memory);
	}
}

static void
answer_resolve(struct ipc *c, const void *message, struct arena *memory)
{
	const struct msg_resolve *q = message;
	const struct msg_address_item *from = q->recipients.items;
	size_t count = q->recipients.count;
	struct msg_resolved_item *items =
	    arena_alloc(memory, count * sizeof(*items));
	struct msg_resolve_reply reply = { .results = { items, count } };
	const char *sender = arena_text(memory, q->sender);
	struct maps *view =
	    q->accepted ? NULL : views_find(views, maps, q->service);
	struct recipient r = { .class = CLASS_DEFAULT,
		.routing = { "", "", NULL } };
	enum verdict known = q->sender_settled ?
	    OK :
	    routing_sender(maps, &sender, memory, &r.why);

	r.verdict = known;
	for (size_t i = 0; i < count; i++) {
		r.address = from[i].address;
		if (known == OK)
			recipient_resolve(maps, view, sender, from[i].address,
			    memory, &r);
		fill_answer(&items[i], &r, from[i].address, memory);
	}
	ipc_put(c, &message_resolve_reply, &reply);
}

/* The deliveries of all recipients, one after the other. */
struct expanding {
	struct msg_expanded_item *items;
	size_t count;
	size_t room;
};

/* Mail for others goes its way while what this one's table says is mended. */
static const struct routing misrouted = { "retry",
	"4.3.5 Server configuration error", NULL };
/* The same where nothing will mend it. */
static const struct routing overlong = { "error", "5.1.3 bad address syntax",
	NULL };

/* What does not fit is returned as the address that was given. */
static enum verdict
add_deliveries(struct expanding *e, size_t index, const char *given,
    const struct delivery_set *set, struct why *why)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct delivery *d = &set->items[i];
		const struct routing *to = &d->routing;
		enum verdict v = check_fits(d->address, to, why);

		if (v == LATER)
			to = &misrouted;
		else if (v != OK)
			to = &overlong;
		if (e->count >= DELIVERIES_MAX)
			return why_set(why, "4.6.0", "Alias expansion error");
		if (e->count == e->room) {
			e->room = e->room ? e->room * 2 : 64;
			e->items =
			    mem_resize(e->items, e->room * sizeof(*e->items));
		}
		e->items[e->count++] = (struct msg_expanded_item){
			.index = index,
			.address = v == NEVER ? given : d->address,
			.transport = to->transport,
			.nexthop = to->nexthop,
		};
	}
	return OK;
}

static void
answer_expand(struct ipc *c, const void *message, struct arena *memory)
{
	const struct msg_expand *q = message;
	const struct msg_address_item *from = q->recipients.items;
	struct expanding e = { NULL, 0, 0 };
	struct msg_expand_reply reply = { .dsn = "", .text = "" };
	struct why why;
	enum verdict v = OK;

	for (size_t i = 0; v == OK && i < q->recipients.count; i++) {
		struct delivery_set set;

		v = q->unmapped ? recipient_as_is(maps, q->sender,
				      from[i].address, memory, &set, &why) :
				  recipient_expand(maps, q->sender,
				      from[i].address, memory, &set, &why);
		if (v == OK)
			v = add_deliveries(&e, i, from[i].address, &set, &why);
	}
	reply.verdict = v;
	if (v == OK) {
		reply.results = (struct ipc_list){ e.items, e.count };
	} else {
		reply.dsn = why.dsn;
		reply.text = cut(why.text, TEXT_MAX, memory);
	}
	ipc_put(c, &message_expand_reply, &reply);
	free(e.items);
}

static void
answer_rewrite(struct ipc *c, const void *message, struct arena *memory)
{
	const struct msg_rewrite *q = message;
	const struct msg_address_item *from = q->addresses.items;
	size_t count = q->addresses.count;
	struct msg_address_item *items =
	    arena_alloc(memory, count * sizeof(*items));
	struct msg_rewrite_reply reply = { .text = "",
		.addresses = { items, count } };
	struct why why;
	enum verdict v = OK;

	for (size_t i = 0; v == OK && i < count; i++) {
		const char *address = rewrite_address(&maps->rules,
		    span_of(from[i].address), memory);

		v = address_map_canonical(maps, (enum rewrite_kind)q->kind,
		    memory, &address, &why);
		/* what would not fit stays as it was */
		items[i].address =
		    strlen(address) <= ADDRESS_MAX ? address : from[i].address;
	}
	reply.verdict = v;
	if (v != OK) {
		reply.addresses.count = 0;
		reply.text = cut(why.text, TEXT_MAX, memory);
	}
	ipc_put(c, &message_rewrite_reply, &reply);
}

static void
answer_query(struct ipc *c, const void *message, struct arena *memory)
{
	address_query_answer(maps, tables, c, message, memory);
}

static const struct query_verb verbs[] = {
	{ &message_resolve, answer_resolve },
	{ &message_expand, answer_expand },
	{ &message_rewrite, answer_rewrite },
	{ &message_query, answer_query },
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
		.program = "lookup",
		.style = SERVICE_TASKS,
		.stays = true,
		.protocol = &protocol_lookup,
		.before = before,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
