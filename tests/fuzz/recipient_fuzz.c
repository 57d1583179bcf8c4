/* SPDX-License-Identifier: ISC */
/*
 * A byte of choices, an address, a NUL, a sender, a NUL, and what a server's
 * tables answer, each up to a NUL: "F" and a value, "A" (try again), "B"
 * (broken), or else nothing. Answers come round and round, to whatever is
 * asked: of a server that lies, each time another; of a faithful one, to a key
 * always the same. What comes of it is bounded, and makes sense.
 */
#include "lookup/recipient.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/conf/conf_parts.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MOST = 4096,
	LIMIT = 12, /* of recipients, and of aliases of aliases */
	ASKED_MOST = 100000,
	/* each alias once: by its keys, after its domain */
	ANSWERS_MAX = 64,
};

enum choice {
	FAITHFUL = 1, /* a key has one answer */
	TOLD = 2, /* whether it exists is asked for */
	LAX = 4, /* the other settings */
};

static const char *const settings[][2] = {
	{ "myhostname", "mx.test" },
	{ "mydomain", "example.test" },
	{ "inet_interfaces", "192.0.2.1" },
	{ "recipient_delimiter", "+-" },
	{ "mydestination", "mx.test, localhost, mysql:destinations" },
	{ "relay_domains", "relay.test, mysql:relay" },
	{ "virtual_alias_domains", "alias.test, mysql:alias" },
	{ "virtual_mailbox_domains", "virtual.test, mysql:virtual" },
	{ "virtual_mailbox_maps", "mysql:mailboxes" },
	{ "local_recipient_maps", "mysql:local" },
	{ "relay_recipient_maps", "mysql:relayed" },
	{ "canonical_maps", "mysql:canonical" },
	{ "sender_canonical_maps", "mysql:sender" },
	{ "recipient_canonical_maps", "mysql:recipient" },
	{ "virtual_alias_maps", "mysql:aliases" },
	{ "relocated_maps", "mysql:relocated" },
	{ "transport_maps", "mysql:transport" },
	{ "sender_dependent_relayhost_maps", "mysql:relayhost" },
	{ "sender_dependent_default_transport_maps", "mysql:by_sender" },
	{ "masquerade_domains", "!in.example.test, example.test, test" },
	{ "masquerade_classes", "envelope_sender, envelope_recipient" },
	{ "masquerade_exceptions", "root, mysql:exceptions" },
	{ "virtual_alias_expansion_limit", "12" },
	{ "virtual_alias_recursion_limit", "12" },
};

static const char *const lax[][2] = {
	{ "myorigin", "relay.test" },
	{ "append_at_myorigin", "no" },
	{ "append_dot_mydomain", "no" },
	{ "swap_bangpath", "no" },
	{ "allow_percent_hack", "no" },
	{ "allow_untrusted_routing", "yes" },
	{ "resolve_dequoted_address", "no" },
	{ "resolve_null_domain", "yes" },
	{ "resolve_numeric_domain", "yes" },
	{ "relocated_prefix_enable", "no" },
	{ "parent_domain_matches_subdomains", "" },
	{ "propagate_unmatched_extensions", "" },
	{ "recipient_delimiter", "" },
	{ "masquerade_domains", "" },
	{ "relayhost", "[gw.test]:2525" },
};

static struct {
	struct span all[ANSWERS_MAX];
	size_t count;
	size_t next;
	size_t asked;
	bool faithful;
} server;

static size_t
place_of(const char *table, struct span key)
{
	size_t h = strlen(table);

	for (size_t i = 0; i < key.n; i++)
		h = h * 31 + (unsigned char)key.p[i];
	return h;
}

static enum table_result
answer(const char *table, struct span key, struct buf *value)
{
	struct span said;
	size_t at;

	ensure(++server.asked < ASKED_MOST);
	if (server.count == 0)
		return TABLE_NONE;
	at = server.faithful ? place_of(table, key) : server.next++;
	said = server.all[at % server.count];
	if (said.n == 0)
		return TABLE_NONE;
	buf_reset(value);
	switch (said.p[0]) {
	case 'F':
		buf_add_span(value, span_skip(said, 1));
		return said.n > 1 ? TABLE_FOUND : TABLE_NONE;
	case 'A':
		buf_add_text(value, "the server is away");
		return TABLE_AGAIN;
	case 'B':
		buf_add_text(value, "no such column");
		return TABLE_BROKEN;
	}
	return TABLE_NONE;
}

static void
set(struct conf *c, const char *const rows[][2], size_t count)
{
	for (size_t i = 0; i < count; i++)
		conf_set(c, span_of(rows[i][0]), span_of(rows[i][1]), "fuzz");
}

static struct maps *
open_maps(bool also_lax)
{
	struct conf *c = conf_new("/nowhere");

	log_threshold(LEVEL_PANIC);
	table_ask_elsewhere(answer);
	set(c, settings, sizeof(settings) / sizeof(settings[0]));
	if (also_lax)
		set(c, lax, sizeof(lax) / sizeof(lax[0]));
	return maps_open(c); /* which points into it */
}

static char *
cut(struct span *in, struct arena *a)
{
	struct span part = span_take(*in, span_find(*in, '\0'));

	*in = span_skip(*in, part.n + 1);
	return arena_span(a, part);
}

static void
begin(bool faithful, struct span in)
{
	server.faithful = faithful;
	server.count = 0;
	while (in.n > 0 && server.count < ANSWERS_MAX) {
		struct span part = span_take(in, span_find(in, '\0'));

		server.all[server.count++] = part;
		in = span_skip(in, part.n + 1);
	}
}

static void
check_verdict(enum verdict v, const struct why *why)
{
	if (v != OK)
		ensure(why_dsn_valid(why->dsn) && why->text[0] != '\0' &&
		    why->dsn[0] == (v == LATER ? '4' : '5'));
}

/* No ends of lines, as lib/mail/mail_address.h has it. */
static bool
is_in_line(const char *address)
{
	return !span_has_break(span_of(address));
}

static void
check_address(const char *address)
{
	ensure(address != NULL && is_in_line(address));
}

static void
check_routing(const struct routing *r)
{
	ensure(r->transport != NULL && r->transport[0] != '\0');
	ensure(r->nexthop != NULL);
}

/* For strangers, no relay of ours is asked to take it further. */
static void
check_relay(const struct maps *m, const struct recipient *r)
{
	struct span local;

	mail_address_split(span_of(r->address), &local, NULL);
	if (r->class == CLASS_RELAY && !m->own.allow_untrusted_routing)
		ensure(span_find(local, '@') == local.n &&
		    span_find(local, '%') == local.n &&
		    span_find(local, '!') == local.n);
}

static void
ask_anew(void)
{
	server.next = server.asked = 0;
}

static void
resolve(struct maps *m, struct arena *a, const char *sender,
    const char *address, bool told, struct recipient *r)
{
	ask_anew();
	recipient_resolve(m, told ? m : NULL, sender, address, a, r);
	check_verdict(r->verdict, &r->why);
	check_address(r->address);
	if (r->verdict != OK)
		return;
	check_relay(m, r);
	/* what stands for others has no way of its own */
	if (r->final)
		check_routing(&r->routing);
}

static void
expand(struct maps *m, struct arena *a, const char *sender, const char *address,
    struct delivery_set *set)
{
	struct why why = { .dsn = "" };
	enum verdict v;

	ask_anew();
	v = recipient_expand(m, sender, address, a, set, &why);
	ensure(v != NEVER);
	check_verdict(v, &why);
	ensure(set->count <= LIMIT);
	/* somebody gets it, or it is heard of again */
	ensure(v != OK || set->count > 0);
	if (v != OK)
		set->count = 0;
	for (size_t i = 0; i < set->count; i++) {
		check_address(set->items[i].address);
		check_routing(&set->items[i].routing);
	}
}

static void
deliver_as_is(struct maps *m, struct arena *a, const char *sender,
    const char *address)
{
	struct delivery_set set;
	struct why why = { .dsn = "" };
	enum verdict v;

	ask_anew();
	v = recipient_as_is(m, sender, address, a, &set, &why);
	ensure(v != NEVER);
	check_verdict(v, &why);
	if (v != OK)
		return;
	ensure(set.count == 1);
	check_address(set.items[0].address);
	check_routing(&set.items[0].routing);
}

static void
settle_sender(struct maps *m, struct arena *a, const char *sender)
{
	struct why why = { .dsn = "" };
	enum verdict v;

	ask_anew();
	v = routing_sender(m, &sender, a, &why);
	ensure(v != NEVER);
	check_verdict(v, &why);
	check_address(sender);
}

/* Final: who asked once needs not ask again, and delivers as was said. */
static void
check_final(const struct recipient *r, const struct delivery_set *set)
{
	const struct delivery *d = set->items;

	ensure(set->count == 1);
	ensure(strcmp(d->address, r->address) == 0);
	ensure(strcmp(d->routing.transport, r->routing.transport) == 0);
	ensure(strcmp(d->routing.nexthop, r->routing.nexthop) == 0);
}

static void
try(struct maps *m, struct arena *a, struct span in, unsigned int choices)
{
	const char *address = cut(&in, a), *sender = cut(&in, a);
	struct recipient r;
	struct delivery_set set;

	if (!is_in_line(address) || !is_in_line(sender))
		return; /* no parser lets it through */
	begin(choices & FAITHFUL, in);
	resolve(m, a, sender, address, choices & TOLD, &r);
	expand(m, a, sender, address, &set);
	if ((choices & FAITHFUL) && r.verdict == OK && r.final)
		check_final(&r, &set);
	deliver_as_is(m, a, sender, address);
	settle_sender(m, a, sender);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct maps *strict, *other;
	struct span in = { (const char *)data + 1, size - 1 };
	struct arena *a;

	if (size == 0 || size > MOST)
		return 0;
	if (strict == NULL) {
		strict = open_maps(false);
		other = open_maps(true);
	}
	a = arena_new();
	try(data[0] & LAX ? other : strict, a, in, data[0]);
	arena_free(&a);
	return 0;
}
