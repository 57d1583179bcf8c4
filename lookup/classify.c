/* SPDX-License-Identifier: ISC */
#include "lookup/classify.h"

#include <string.h>

#include "lib/mail/mail_address.h"
#include "lib/table/network.h"

enum { ROUTE_MAX = 100 }; /* hops of user%a%b%c@us */

static enum verdict
matches(const char *what, struct match_list *l, struct span domain, bool *match,
    struct why *why)
{
	struct buf text = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = match_list_match(l, domain, &text);
	enum verdict v = OK;

	*match = r == TABLE_FOUND;
	if (r == TABLE_AGAIN || r == TABLE_BROKEN)
		v = maps_failed(what, domain, &text, why);
	buf_fini(&text);
	return v;
}

enum verdict
classify_is_local(struct maps *m, struct span domain, bool *local,
    struct why *why)
{
	if (domain.n > 0 && domain.p[0] == '[' &&
	    own_addresses_has(m->addresses, domain)) {
		*local = true;
		return OK;
	}
	return matches("mydestination", m->mydestination, domain, local, why);
}

static enum verdict
bad_syntax(struct why *why)
{
	return why_set(why, "5.1.3", "bad address syntax");
}

/*
 * What user%other, site!user or user@other means when the domain behind it,
 * ours, is taken off; NULL if the local part is no route.
 */
static const char *
next_hop(struct maps *m, struct span local, struct arena *a)
{
	bool at = span_find(local, '@') < local.n;
	bool bang = m->own.swap_bangpath && span_find(local, '!') < local.n;
	bool percent =
	    m->own.allow_percent_hack && span_find(local, '%') < local.n;

	if (at && !m->own.resolve_dequoted_address)
		return NULL;
	if (!at && !bang && !percent)
		return NULL;
	return rewrite_address(&m->rules, local, a);
}

static bool
is_digits_and_dots(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9'))
			return false;
	return s.n > 0;
}

static void
set(struct classified *out, const char *address)
{
	out->address = address;
	mail_address_split(span_of(address), &out->local, &out->domain);
}

/* Domains that nobody could have, and some that mean another. */
static enum verdict
check_domain(struct maps *m, struct arena *a, struct classified *out,
    struct why *why)
{
	struct network n;

	if (out->domain.n > 0 && out->domain.p[0] == '[')
		return mail_literal_valid(out->domain) ? OK : bad_syntax(why);
	if (is_digits_and_dots(out->domain)) {
		if (!m->own.resolve_numeric_domain ||
		    !network_address(out->domain, &n))
			return bad_syntax(why);
		set(out,
		    arena_printf(a, "%.*s@[%.*s]", SPAN_ARG(out->local),
			SPAN_ARG(out->domain)));
		return OK;
	}
	return mail_hostname_valid(out->domain, true) ? OK : bad_syntax(why);
}

static enum verdict
classify_remote(struct maps *m, struct classified *out, struct why *why)
{
	const struct {
		const char *name;
		struct match_list *list;
		enum address_class class;
	} lists[] = {
		{ "virtual_alias_domains", m->virtual_alias_domains,
		    CLASS_VIRTUAL_ALIAS },
		{ "virtual_mailbox_domains", m->virtual_mailbox_domains,
		    CLASS_VIRTUAL_MAILBOX },
		{ "relay_domains", m->relay_domains, CLASS_RELAY },
	};

	out->class = CLASS_DEFAULT;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		bool match;

		if (matches(lists[i].name, lists[i].list, out->domain, &match,
			why) != OK)
			return LATER;
		if (match) {
			out->class = lists[i].class;
			break;
		}
	}
	return OK;
}

/* Takes one hop off the route; OK with *more false when there is none. */
static enum verdict
step(struct maps *m, struct arena *a, struct classified *out, bool *more,
    bool *local, struct why *why)
{
	const char *next;

	*more = false;
	if (out->domain.n == 0) {
		bool has_at = out->local.n < strlen(out->address);

		if (has_at && !m->own.resolve_null_domain)
			return bad_syntax(why);
		*local = true;
		set(out,
		    arena_printf(a, "%.*s@%s", SPAN_ARG(out->local),
			m->common.myhostname));
	} else if (classify_is_local(m, out->domain, local, why) != OK) {
		return LATER;
	}
	if (!*local)
		return OK;
	next = next_hop(m, out->local, a);
	if (next != NULL) {
		*more = true;
		set(out, next);
	} else if (out->local.n == 0) {
		set(out,
		    arena_printf(a, "%s@%.*s", m->own.empty_address_recipient,
			SPAN_ARG(out->domain)));
	}
	return OK;
}

enum verdict
classify(struct maps *m, const char *address, struct arena *a,
    struct classified *out, struct why *why)
{
	enum verdict v;
	bool local = false;
	bool more = true;

	if (*address == '\0')
		address = arena_printf(a, "%s@%s",
		    m->own.empty_address_recipient, m->common.myhostname);
	set(out, address);
	for (int hops = 0; more; hops++) {
		if (hops >= ROUTE_MAX ||
		    strlen(out->address) >= MAIL_ADDRESS_MAX)
			return bad_syntax(why);
		v = step(m, a, out, &more, &local, why);
		if (v != OK)
			return v;
	}
	if (local) {
		out->class = CLASS_LOCAL;
		return OK;
	}
	v = check_domain(m, a, out, why);
	return v == OK ? classify_remote(m, out, why) : v;
}
