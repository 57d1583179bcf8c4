/* SPDX-License-Identifier: ISC */
#include "lookup/routing.h"

#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/mail/mail_address.h"
#include "lookup/address_map.h"

const char *
routing_unknown(struct maps *m, const char *table, struct arena *a)
{
	if (!m->own.show_user_unknown_table_name)
		return "User unknown";
	return arena_printf(a, "User unknown in %s table", table);
}

/* What "transport:nexthop" says; parts that are empty keep what *out has. */
static void
apply(struct span spec, const char *from, struct arena *a, struct routing *out)
{
	size_t colon = span_find(spec, ':');
	struct span nexthop = span_trim(span_skip(spec, colon + 1));

	if (colon > 0)
		out->transport = arena_span(a, span_take(spec, colon));
	if (nexthop.n > 0)
		out->nexthop = arena_span(a, nexthop);
	out->from = from;
}

/* One destination, however it is written. */
static const char *
nexthop_of(struct span domain, struct arena *a)
{
	char *text = arena_span(a, domain);

	for (char *p = text; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	return text;
}

static bool
means_nothing(const char *value)
{
	return strcasecmp(value, "DUNNO") == 0;
}

/* A table with senders as keys. NULL in *value: it says nothing. */
static enum verdict
by_sender(struct maps *m, struct table_list *l, const char *sender,
    const char *null_key, struct arena *a, const char **value, struct why *why)
{
	struct span key;
	struct span domain;
	const char *extension;
	const char *text;
	bool found = false;
	bool local = false;
	enum verdict v = OK;

	*value = NULL;
	if (table_list_empty(l))
		return OK;
	sender = rewrite_address(&m->rules, span_of(sender), a);
	key = span_of(*sender != '\0' ? sender : null_key);
	if (mail_address_split(key, NULL, &domain))
		v = classify_is_local(m, domain, &local, why);
	if (v == OK)
		v = maps_find_address(m, l, key, local, a, &found, &text,
		    &extension, why);
	if (found && !means_nothing(text))
		*value = text;
	return v;
}

enum verdict
routing_sender(struct maps *m, const char **sender, struct arena *a,
    struct why *why)
{
	if (table_list_empty(m->sender_relayhost) &&
	    table_list_empty(m->sender_transport))
		return OK;
	*sender = rewrite_address(&m->rules, span_of(*sender), a);
	return address_map_canonical(m, REWRITE_ENVELOPE_SENDER, a, sender,
	    why);
}

/* Mail for domains that are not our own goes to the relay host, if any. */
static enum verdict
relay_nexthop(struct maps *m, const char *sender, struct arena *a,
    struct routing *out, struct why *why)
{
	const char *relayhost;
	enum verdict v = by_sender(m, m->sender_relayhost, sender,
	    m->own.empty_address_relayhost_maps_lookup_key, a, &relayhost, why);

	if (v != OK)
		return v;
	out->from = "sender_dependent_relayhost_maps";
	if (relayhost == NULL) {
		relayhost = m->own.relayhost;
		out->from = "relayhost";
	}
	if (*relayhost != '\0')
		out->nexthop = relayhost;
	return OK;
}

static enum verdict
by_class(struct maps *m, const char *sender, const struct classified *to,
    struct arena *a, struct routing *out, struct why *why)
{
	const char *spec = NULL;
	const char *from = NULL;
	enum verdict v = OK;

	switch (to->class) {
	case CLASS_LOCAL:
		spec = m->own.local_transport;
		from = "local_transport";
		break;
	case CLASS_VIRTUAL_ALIAS:
		out->transport = "error";
		out->nexthop = arena_printf(a, "5.1.1 %s",
		    routing_unknown(m, "virtual alias", a));
		return OK;
	case CLASS_VIRTUAL_MAILBOX:
		spec = m->own.virtual_transport;
		from = "virtual_transport";
		break;
	case CLASS_RELAY:
		spec = m->own.relay_transport;
		from = "relay_transport";
		v = relay_nexthop(m, sender, a, out, why);
		break;
	case CLASS_DEFAULT:
		v = by_sender(m, m->sender_transport, sender,
		    m->own.empty_address_default_transport_maps_lookup_key, a,
		    &spec, why);
		if (v == OK)
			v = relay_nexthop(m, sender, a, out, why);
		if (spec == NULL || *spec == ':')
			apply(span_of(m->own.default_transport),
			    "default_transport", a, out);
		from = "sender_dependent_default_transport_maps";
		break;
	}
	if (v == OK && spec != NULL)
		apply(span_of(spec), from, a, out);
	return v;
}

/* An address, with its extension and without: no @domain in this table. */
static enum table_result
find_full_address(struct maps *m, const char *address, struct buf *value)
{
	struct buf quoted = BUF_INIT(MAIL_ADDRESS_MAX * 2 + 2);
	struct buf text = BUF_INIT(MAIL_ADDRESS_MAX * 2 + 2);
	struct table_key keys[TABLE_ADDRESS_KEYS];
	enum table_result r = TABLE_NONE;

	if (mail_address_quote(span_of(address), &quoted)) {
		size_t count = table_address_keys(buf_span(&quoted),
		    m->common.recipient_delimiter, false, keys, &text);

		r = table_list_lookup(m->transport, keys[0].key, value);
		if (r == TABLE_NONE && count > 1 && keys[1].left_out > 0)
			r = table_list_lookup_partial(m->transport, keys[1].key,
			    value);
	}
	buf_fini(&text);
	buf_fini(&quoted);
	return r;
}

/* transport_maps: an address, its domain, the domain's parents, or "*". */
static enum table_result
find_transport(struct maps *m, const struct classified *to, struct buf *value)
{
	struct span domain = to->domain;
	enum table_result r = find_full_address(m, to->address, value);

	while (r == TABLE_NONE && domain.n > 0) {
		size_t dot;

		r = table_list_lookup_partial(m->transport, domain, value);
		if (r != TABLE_NONE || domain.p[0] == '[')
			break;
		/* "a.b.c", then ".b.c" or "b.c", as the setting says */
		if (domain.p[0] == '.')
			domain = span_skip(domain, 1);
		dot = span_find(domain, '.');
		if (dot == domain.n)
			break;
		domain =
		    span_skip(domain, m->transport_parents ? dot + 1 : dot);
	}
	if (r == TABLE_NONE)
		r = table_list_lookup(m->transport, SPAN("*"), value);
	return r;
}

static enum verdict
by_table(struct maps *m, const struct classified *to, struct arena *a,
    struct routing *out, struct why *why)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	struct span spec;
	enum table_result r;
	enum verdict v = OK;

	if (table_list_empty(m->transport))
		return OK;
	r = find_transport(m, to, &value);
	if (r == TABLE_AGAIN || r == TABLE_BROKEN) {
		v = maps_failed("transport_maps", span_of(to->address), &value,
		    why);
	} else if (r == TABLE_FOUND) {
		spec = span_trim(buf_span(&value));
		/* a new transport forgets the old one's destination */
		if (span_find(spec, ':') > 0)
			out->nexthop = nexthop_of(to->domain, a);
		apply(spec, "transport_maps", a, out);
	}
	buf_fini(&value);
	return v;
}

static enum verdict
moved(struct maps *m, const struct classified *to, struct arena *a,
    bool *has_moved, struct routing *out, struct why *why)
{
	const char *value;
	const char *extension;
	enum verdict v = maps_find_address(m, m->relocated,
	    span_of(to->address), to->class == CLASS_LOCAL, a, has_moved,
	    &value, &extension, why);

	if (v == OK && *has_moved)
		*out = (struct routing){ "error",
			arena_printf(a, "%s%s",
			    m->own.relocated_prefix_enable ?
				"5.1.6 User has moved to " :
				"",
			    value),
			"relocated_maps" };
	return v;
}

enum verdict
routing_find(struct maps *m, const char *sender, const struct classified *to,
    struct arena *a, struct routing *out, struct why *why)
{
	bool has_moved;
	enum verdict v;

	*out = (struct routing){ "error", nexthop_of(to->domain, a), NULL };
	if (to->class == CLASS_LOCAL &&
	    span_is_nocase(to->local, m->common.double_bounce_sender)) {
		*out = (struct routing){ "discard",
			"undeliverable postmaster notification discarded",
			NULL };
		return OK;
	}
	v = moved(m, to, a, &has_moved, out, why);
	if (v != OK || has_moved)
		return v;
	v = by_class(m, sender, to, a, out, why);
	if (v == OK && to->class != CLASS_VIRTUAL_ALIAS)
		v = by_table(m, to, a, out, why);
	return v;
}
