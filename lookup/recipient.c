/* SPDX-License-Identifier: ISC */
#include "lookup/recipient.h"

#include <string.h>
#include <strings.h>

#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "lib/mail/reply.h"
#include "lookup/masquerade.h"

/* Is it in the list of what exists? An empty list knows nothing. */
static enum verdict
exists_in(struct maps *m, struct table_list *l, const char *table,
    const struct classified *to, struct arena *a, struct why *why)
{
	const char *value;
	const char *extension;
	bool found;
	enum verdict v;

	if (table_list_empty(l))
		return OK;
	v = maps_find_address(m, l, span_of(to->address),
	    to->class == CLASS_LOCAL, a, &found, &value, &extension, why);
	if (v != OK || found)
		return v;
	return why_set(why, "5.1.1", "%s", routing_unknown(m, table, a));
}

static enum verdict
exists(struct maps *m, const struct classified *to, struct arena *a,
    struct why *why)
{
	switch (to->class) {
	case CLASS_LOCAL:
		/* RFC 5321 section 4.5.1; whom reports come from */
		if (span_is_nocase(to->local, "postmaster") ||
		    span_is_nocase(to->local, "MAILER-DAEMON") ||
		    span_is_nocase(to->local, m->common.double_bounce_sender))
			return OK;
		return exists_in(m, m->local_recipient, "local recipient", to,
		    a, why);
	case CLASS_VIRTUAL_ALIAS:
		return why_set(why, "5.1.1", "%s",
		    routing_unknown(m, "virtual alias", a));
	case CLASS_VIRTUAL_MAILBOX:
		return exists_in(m, m->virtual_mailbox, "virtual mailbox", to,
		    a, why);
	case CLASS_RELAY:
		return exists_in(m, m->relay_recipient, "relay recipient", to,
		    a, why);
	case CLASS_DEFAULT:
		return OK;
	}
	return OK;
}

/* A table sent it to the service that refuses: say so at once. */
static enum verdict
refused_by_routing(const struct routing *r, struct why *why)
{
	struct span text = span_trim(span_of(r->nexthop)), rest = text;
	char dsn[WHY_DSN_MAX];
	const char *code = "5.0.0";

	if (strcmp(r->transport, "error") != 0)
		return OK;
	if (reply_take_dsn(&rest, dsn) && dsn[0] == '5') {
		code = dsn;
		text = rest;
	}
	if (text.n == 0)
		text = SPAN("unspecified error"); /* as error(8) has it */
	return why_set(why, code, "%.*s", SPAN_ARG(text));
}

/*
 * A local part that a relay behind us would take as a route: for strangers
 * such mail is not for a domain of ours.
 */
static bool
routes_on(const struct maps *m, const struct classified *to)
{
	return to->class == CLASS_RELAY && !m->own.allow_untrusted_routing &&
	    (span_find(to->local, '@') < to->local.n ||
		span_find(to->local, '%') < to->local.n ||
		span_find(to->local, '!') < to->local.n);
}

/* Not what it looks like: cleanup has it rewritten. */
static bool
is_masqueraded(struct maps *m, const char *address, struct arena *a)
{
	const char *after = address;
	struct why why;

	return masquerade(m, REWRITE_ENVELOPE_RECIPIENT, a, &after, &why) !=
	    OK ||
	    after != address;
}

/*
 * Refused by the tables that say where it goes, or not there at all. What
 * stands for others exists.
 */
static enum verdict
check_existence(struct maps *m, struct maps *view, const struct classified *to,
    bool known, struct arena *a, struct routing *routing, struct why *why)
{
	bool canonical = known;
	bool virtual = false;
	enum verdict v = OK;

	if (view != NULL && view != m)
		v = address_map_known(view, to->address, a, &canonical,
		    &virtual, why);
	if (v == OK && view != NULL && (canonical || virtual))
		*routing = (struct routing){ "", "", NULL }; /* others' */
	if (v != OK || canonical || virtual)
		return v;
	v = refused_by_routing(routing, why);
	return v == OK && view != NULL ? exists(view, to, a, why) : v;
}

void
recipient_resolve(struct maps *m, struct maps *view, const char *sender,
    const char *address, struct arena *a, struct recipient *out)
{
	struct classified to;
	bool canonical = false;
	bool virtual = false;
	const char *named;

	*out = (struct recipient){ .verdict = NEVER,
		.class = CLASS_DEFAULT,
		.address = rewrite_address(&m->rules, span_of(address), a),
		.routing = { "", "", NULL } };
	out->verdict = classify(m, out->address, a, &to, &out->why);
	if (out->verdict != OK)
		return;
	named = out->address;
	out->address = to.address;
	out->class = routes_on(m, &to) ? CLASS_DEFAULT : to.class;
	out->verdict =
	    routing_find(m, sender, &to, a, &out->routing, &out->why);
	if (out->verdict == OK)
		out->verdict = address_map_known(m, to.address, a, &canonical,
		    &virtual, &out->why);
	if (out->verdict != OK)
		return;
	/* of a route through us, tables may know the form before it is taken */
	out->final = !canonical && !virtual && strcmp(named, to.address) == 0 &&
	    !is_masqueraded(m, to.address, a);
	out->verdict = check_existence(m, view, &to, canonical || virtual, a,
	    &out->routing, &out->why);
}

static enum verdict
too_much(const char *what, const char *address, const char *setting,
    struct why *why)
{
	log_warning("unreasonable virtual_alias_maps %s for %s -- message not "
		    "accepted, try again later (%s)",
	    what, address, setting);
	return why_set(why, "4.6.0", "Alias expansion error");
}

static enum verdict
check_lengths(const struct maps *m, const struct address_set *s,
    struct why *why)
{
	for (size_t i = 0; i < s->count; i++)
		if (strlen(s->addresses[i]) >
		    (size_t)m->own.virtual_alias_address_length_limit)
			return too_much("address length", s->addresses[0],
			    "virtual_alias_address_length_limit", why);
	return OK;
}

/* What an address was expanded from, up to the recipient. */
struct origin {
	const char *address;
	const struct origin *above;
};

struct expanded {
	const char *address; /* NULL: another one stands for it */
	const struct origin *above;
};

/* A recipient's expansion under way. */
struct expansion {
	struct maps *m;
	struct arena *a;
	struct expanded *items;
	size_t count;
	size_t room;
	struct address_set looked_up;
};

static bool
has(const struct address_set *set, const char *address)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcasecmp(set->addresses[i], address) == 0)
			return true;
	return false;
}

static bool
comes_from(const struct origin *above, const char *address)
{
	for (; above != NULL; above = above->above)
		if (strcasecmp(above->address, address) == 0)
			return true;
	return false;
}

static void
push(struct expansion *x, const char *address, const struct origin *above)
{
	if (x->count == x->room) {
		size_t room = x->room ? x->room * 2 : 8;
		struct expanded *more = arena_alloc(x->a, room * sizeof(*more));

		if (x->count > 0)
			memcpy(more, x->items, x->count * sizeof(*more));
		x->items = more;
		x->room = room;
	}
	x->items[x->count++] = (struct expanded){ address, above };
}

/*
 * Replaces the item by what it stands for, again while that stands for more.
 * An address that leads back to itself is final; one that was expanded
 * elsewhere needs no second expansion.
 */
static enum verdict
expand_one(struct expansion *x, size_t at, struct why *why)
{
	for (int64_t depth = 0;; depth++) {
		struct address_set results = { NULL, 0, 0 };
		const char *from = x->items[at].address;
		struct origin *origin;
		bool found;
		enum verdict v;

		if (comes_from(x->items[at].above, from))
			return OK;
		if (has(&x->looked_up, from)) {
			x->items[at].address = NULL;
			return OK;
		}
		if (depth >= x->m->own.virtual_alias_recursion_limit)
			return too_much("map nesting", from,
			    "virtual_alias_recursion_limit", why);
		v = address_map(x->m, x->m->virtual_alias, from,
		    x->m->propagate_virtual, x->a, &found, &results, why);
		if (v != OK || !found)
			return v;
		v = check_lengths(x->m, &results, why);
		if (v != OK)
			return v;
		if ((int64_t)(x->count + results.count - 1) >
		    x->m->own.virtual_alias_expansion_limit)
			return too_much("map expansion size", from,
			    "virtual_alias_expansion_limit", why);
		address_set_add(&x->looked_up, from, x->a);
		origin = arena_alloc(x->a, sizeof(*origin));
		*origin = (struct origin){ from, x->items[at].above };
		x->items[at] =
		    (struct expanded){ results.addresses[0], origin };
		for (size_t i = 1; i < results.count; i++)
			push(x, results.addresses[i], origin);
	}
}

/* Where a final address goes. What is no address goes to "error". */
static enum verdict
deliver_to(struct maps *m, const char *sender, const char *address,
    struct arena *a, struct delivery *d, struct why *why)
{
	struct classified to;
	enum verdict v = classify(m, address, a, &to, why);

	if (v == NEVER) {
		*d = (struct delivery){ address,
			{ "error",
			    arena_printf(a, "%s %s", why->dsn, why->text),
			    NULL } };
		return OK;
	}
	if (v != OK)
		return v;
	d->address = to.address;
	return routing_find(m, sender, &to, a, &d->routing, why);
}

enum verdict
recipient_as_is(struct maps *m, const char *sender, const char *address,
    struct arena *a, struct delivery_set *out, struct why *why)
{
	const char *one = rewrite_address(&m->rules, span_of(address), a);

	out->items = arena_alloc(a, sizeof(*out->items));
	out->count = 1;
	return deliver_to(m, sender, one, a, out->items, why);
}

enum verdict
recipient_expand(struct maps *m, const char *sender, const char *address,
    struct arena *a, struct delivery_set *out, struct why *why)
{
	struct expansion x = { .m = m, .a = a };
	struct address_set done = { NULL, 0, 0 };
	const char *one = rewrite_address(&m->rules, span_of(address), a);
	enum verdict v =
	    address_map_canonical(m, REWRITE_ENVELOPE_RECIPIENT, a, &one, why);

	*out = (struct delivery_set){ NULL, 0 };
	push(&x, one, NULL);
	for (size_t i = 0; v == OK && i < x.count; i++)
		v = expand_one(&x, i, why);
	if (v != OK)
		return v;
	out->items = arena_alloc(a, x.count * sizeof(*out->items));
	for (size_t i = 0; i < x.count && v == OK; i++) {
		const char *final = x.items[i].address;

		if (final == NULL || has(&done, final))
			continue;
		address_set_add(&done, final, a);
		v = deliver_to(m, sender, final, a, &out->items[out->count++],
		    why);
	}
	return v;
}
