/* SPDX-License-Identifier: ISC */
#include "lookup/address_map.h"

#include <string.h>
#include <strings.h>

#include "lib/log/log.h"
#include "lib/mail/address_list.h"
#include "lib/mail/mail_address.h"
#include "lookup/classify.h"
#include "lookup/masquerade.h"

enum { CANONICAL_MAX = 10 }; /* as in Postfix */

void
address_set_add(struct address_set *s, const char *address, struct arena *a)
{
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 8;
		const char **more = arena_alloc(a, room * sizeof(*more));

		if (s->count > 0)
			memcpy(more, s->addresses, s->count * sizeof(*more));
		s->addresses = more;
		s->room = room;
	}
	s->addresses[s->count++] = address;
}

/* What the addresses of a table's value become. */
struct result {
	struct maps *m;
	struct arena *a;
	struct span local; /* of the address that was looked up */
	const char *extension; /* to propagate, or "" */
	struct address_set *out;
};

static const char *
with_extension(const struct result *x, const char *address)
{
	struct span local;
	struct span domain;

	if (*x->extension == '\0' || *address == '\0')
		return address;
	if (!mail_address_split(span_of(address), &local, &domain))
		return arena_printf(x->a, "%s%s", address, x->extension);
	return arena_printf(x->a, "%.*s%s@%.*s", SPAN_ARG(local), x->extension,
	    SPAN_ARG(domain));
}

static void
add(struct result *x, struct span address)
{
	const char *text;

	if (address.n > 1 && address.p[0] == '@')
		text = arena_printf(x->a, "%.*s%.*s", SPAN_ARG(x->local),
		    SPAN_ARG(address));
	else
		text = NULL;
	address_set_add(x->out,
	    text != NULL ?
		rewrite_address(&x->m->rules, span_of(text), x->a) :
		with_extension(x, rewrite_address(&x->m->rules, address, x->a)),
	    x->a);
}

static bool
visit(void *with, const struct listed_address *listed)
{
	add(with, listed->address);
	return true;
}

/*
 * "@domain" stands for the same user elsewhere and is no address that a
 * parser of messages would take.
 */
static bool
parse_value(struct result *x, struct span value)
{
	struct span word;
	struct span rest = value;
	bool good;

	if (span_find(value, '@') == value.n || value.p[0] != '@')
		return address_list_each(value, visit, x);
	good = true;
	while (span_cut(&rest, ",", true, &word)) {
		word = span_trim(word);
		if (word.n > 0 && word.p[0] == '@' && !span_has_break(word))
			add(x, word);
		else if (word.n > 0)
			good &= address_list_each(word, visit, x);
	}
	return good;
}

enum verdict
address_map_is_local(struct maps *m, const char *address, bool *local,
    struct why *why)
{
	struct span domain;

	mail_address_split(span_of(address), NULL, &domain);
	*local = false;
	if (domain.n == 0)
		return OK;
	/* bare names are keys for the domain that bare names get, too */
	if (span_is_nocase(domain, m->rules.myorigin)) {
		*local = true;
		return OK;
	}
	return classify_is_local(m, domain, local, why);
}

/* The length of the first of its parts that no address can have, or 0. */
static size_t
excess(struct span value)
{
	struct span word;

	while (span_cut(&value, ",", true, &word)) {
		word = span_trim(word);
		if (word.n > MAIL_ADDRESS_MAX)
			return word.n;
	}
	return 0;
}

/*
 * What is not understood is left out, but for what is an address, only too
 * long: who it is meant for shall not miss the mail.
 */
static enum verdict
complain(const char *address, const char *value, struct why *why)
{
	size_t n = excess(span_of(value));

	if (n == 0) {
		log_warning("table result for \"%.200s\" holds what is no "
			    "address: %.200s",
		    address, value);
		return OK;
	}
	log_warning("table result for \"%.200s\" holds an address of %zu "
		    "bytes, "
		    "more than %d: the message is not accepted, try again "
		    "later: %.200s",
	    address, n, MAIL_ADDRESS_MAX, value);
	return why_set(why, "4.6.0", "Alias expansion error");
}

enum verdict
address_map(struct maps *m, struct table_list *l, const char *address,
    bool propagate, struct arena *a, bool *found, struct address_set *out,
    struct why *why)
{
	struct result x = { .m = m, .a = a, .out = out };
	const char *value;
	const char *extension;
	bool local;
	enum verdict v;

	*found = false;
	if (table_list_empty(l) || *address == '\0')
		return OK;
	v = address_map_is_local(m, address, &local, why);
	if (v == OK)
		v = maps_find_address(m, l, span_of(address), local, a, found,
		    &value, &extension, why);
	if (v != OK || !*found)
		return v;
	x.extension = propagate ? extension : "";
	mail_address_split(span_of(address), &x.local, NULL);
	if (!parse_value(&x, span_trim(span_of(value))))
		v = complain(address, value, why);
	if (v != OK)
		return v;
	if (out->count == 0) {
		log_warning("table result for \"%s\" holds no address",
		    address);
		return why_set(why, "4.3.0", "Temporary lookup failure");
	}
	return OK;
}

/* One list, as long as it changes the address. */
static enum verdict
settle(struct maps *m, const char *name, struct table_list *l, struct arena *a,
    const char **address, struct why *why)
{
	for (int i = 0; i < CANONICAL_MAX; i++) {
		struct address_set out = { NULL, 0, 0 };
		bool found;
		bool same;
		enum verdict v = address_map(m, l, *address,
		    m->propagate_canonical, a, &found, &out, why);

		if (v != OK || !found)
			return v;
		if (out.count > 1)
			log_warning("%s: multi-valued entry for %s", name,
			    *address);
		same = strcasecmp(*address, out.addresses[0]) == 0;
		*address = out.addresses[0];
		if (same)
			return OK;
	}
	log_warning("unreasonable %s map nesting for %s: left as it is now",
	    name, *address);
	return OK;
}

enum verdict
address_map_canonical(struct maps *m, enum rewrite_kind kind, struct arena *a,
    const char **address, struct why *why)
{
	const char *result = *address;
	enum verdict v = OK;
	bool sender = m->sender_canonical_classes & (1u << kind);
	bool recipient = m->recipient_canonical_classes & (1u << kind);

	if (*result == '\0')
		return OK;
	/* header kinds may be in both lists; the sender's is for senders */
	if (kind == REWRITE_ENVELOPE_SENDER || kind == REWRITE_HEADER_SENDER)
		recipient = false;
	else
		sender = false;
	if (sender)
		v = settle(m, "sender_canonical_maps", m->sender_canonical, a,
		    &result, why);
	if (v == OK && recipient)
		v = settle(m, "recipient_canonical_maps",
		    m->recipient_canonical, a, &result, why);
	if (v == OK && (m->canonical_classes & (1u << kind)))
		v = settle(m, "canonical_maps", m->canonical, a, &result, why);
	if (v == OK)
		v = masquerade(m, kind, a, &result, why);
	if (v == OK)
		*address = result;
	return v;
}

enum verdict
address_map_known(struct maps *m, const char *address, struct arena *a,
    bool *canonical, bool *virtual, struct why *why)
{
	struct table_list *const lists[] = {
		m->recipient_canonical,
		m->canonical,
		m->virtual_alias,
	};
	const size_t count = sizeof(lists) / sizeof(lists[0]);
	bool all_empty = true;
	bool local;

	*canonical = false;
	*virtual = false;
	for (size_t i = 0; i < count; i++)
		all_empty = all_empty && table_list_empty(lists[i]);
	if (all_empty)
		return OK;
	if (address_map_is_local(m, address, &local, why) != OK)
		return LATER;
	for (size_t i = 0; i < count; i++) {
		const char *value;
		const char *extension;
		bool found;

		if (maps_find_address(m, lists[i], span_of(address), local, a,
			&found, &value, &extension, why) != OK)
			return LATER;
		if (found && i < 2)
			*canonical = true;
		else if (found)
			*virtual = true;
	}
	return OK;
}
