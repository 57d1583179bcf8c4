/* SPDX-License-Identifier: ISC */
#include "lookup/maps.h"

#include <stdlib.h>

#include "lib/log/log.h"
#include "lib/mail/mail_address.h"

struct table_list *
maps_open_tables(const char *name, const char *specs)
{
	struct buf error = BUF_INIT(4096);
	struct table_list *l = table_list_open(specs, &error);

	if (l == NULL) {
		log_error("%s = %s: %s", name, specs, buf_text(&error));
		buf_reset(&error);
		l = table_list_open("fail:unusable", &error);
	}
	buf_fini(&error);
	return l;
}

static bool
names(const char *list, const char *name)
{
	struct span rest = span_of(list);
	struct span word;

	while (span_cut(&rest, ", \t\r\n", true, &word))
		if (span_is_nocase(word, name))
			return true;
	return false;
}

static struct match_list *
open_domains(const char *name, const char *patterns, enum match_kind kind)
{
	struct buf error = BUF_INIT(4096);
	struct match_list *l = match_list_open(patterns, kind, &error);

	if (l == NULL) {
		log_error("%s = %s: %s", name, patterns, buf_text(&error));
		buf_reset(&error);
		l = match_list_open("fail:unusable", kind, &error);
	}
	buf_fini(&error);
	return l;
}

/* In the order of enum rewrite_kind. */
static const char *const kinds[] = {
	"envelope_sender",
	"envelope_recipient",
	"header_sender",
	"header_recipient",
};

static unsigned int
class_bits(const char *list)
{
	unsigned int bits = 0;

	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (names(list, kinds[i]))
			bits |= 1u << i;
	return bits;
}

static void
fill_rules(struct conf *c, struct maps *m)
{
	const char *propagate = conf_value(c, "propagate_unmatched_extensions");

	table_owner_request_special(m->common.owner_request_special);
	m->rules = rewrite_rules_of(c, &m->common);
	if (propagate == NULL)
		propagate = "";
	m->propagate_canonical = names(propagate, "canonical");
	m->propagate_virtual = names(propagate, "virtual");
	m->propagate_generic = names(propagate, "generic");
	m->mydestination =
	    open_domains("mydestination", m->common.mydestination, MATCH_TEXT);
	m->addresses = own_addresses_new(m->common.inet_interfaces,
	    m->common.proxy_interfaces);
}

static void
fill(struct conf *c, struct maps *m)
{
	struct buf errors = BUF_INIT(65536);

	if (!conf_fill(c, &common_param_group, &m->common, &errors) ||
	    !conf_fill(c, &lookup_param_group, &m->own, &errors))
		log_error("%s", buf_text(&errors));
	buf_fini(&errors);
	fill_rules(c, m);
	m->canonical_classes = class_bits(m->own.canonical_classes);
	m->sender_canonical_classes =
	    class_bits(m->own.sender_canonical_classes);
	m->recipient_canonical_classes =
	    class_bits(m->own.recipient_canonical_classes);
	m->masquerade_classes = class_bits(m->own.masquerade_classes);
}

struct maps *
maps_open_rules(struct conf *c)
{
	struct maps *m = mem_new(sizeof(*m));
	struct buf errors = BUF_INIT(65536);

	if (!conf_fill(c, &common_param_group, &m->common, &errors))
		log_error("%s", buf_text(&errors));
	buf_fini(&errors);
	fill_rules(c, m);
	return m;
}

#define TABLES(setting) maps_open_tables(#setting, m->own.setting)

struct maps *
maps_open(struct conf *c)
{
	struct maps *m = mem_new(sizeof(*m));
	const char *parents;
	const char *mailboxes = conf_value(c, "virtual_mailbox_maps");

	fill(c, m);
	parents = m->common.parent_domain_matches_subdomains;
	m->transport_parents = names(parents, "transport_maps");
	m->virtual_alias_domains = open_domains("virtual_alias_domains",
	    m->common.virtual_alias_domains, MATCH_TEXT);
	m->virtual_mailbox_domains = open_domains("virtual_mailbox_domains",
	    m->common.virtual_mailbox_domains, MATCH_TEXT);
	m->relay_domains =
	    open_domains("relay_domains", m->common.relay_domains,
		names(parents, "relay_domains") ? MATCH_DOMAIN_PARENTS :
						  MATCH_DOMAIN);
	m->masquerade_exceptions = open_domains("masquerade_exceptions",
	    m->own.masquerade_exceptions, MATCH_TEXT);
	m->canonical = TABLES(canonical_maps);
	m->sender_canonical = TABLES(sender_canonical_maps);
	m->recipient_canonical = TABLES(recipient_canonical_maps);
	m->virtual_alias = TABLES(virtual_alias_maps);
	m->local_recipient = TABLES(local_recipient_maps);
	m->virtual_mailbox = maps_open_tables("virtual_mailbox_maps",
	    mailboxes ? mailboxes : "");
	m->relay_recipient = TABLES(relay_recipient_maps);
	m->relocated = TABLES(relocated_maps);
	m->transport = TABLES(transport_maps);
	m->sender_relayhost = TABLES(sender_dependent_relayhost_maps);
	m->sender_transport = TABLES(sender_dependent_default_transport_maps);
	return m;
}

void
maps_close(struct maps **mp)
{
	struct maps *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	match_list_free(&m->mydestination);
	match_list_free(&m->virtual_alias_domains);
	match_list_free(&m->virtual_mailbox_domains);
	match_list_free(&m->relay_domains);
	match_list_free(&m->masquerade_exceptions);
	own_addresses_free(&m->addresses);
	table_list_free(&m->canonical);
	table_list_free(&m->sender_canonical);
	table_list_free(&m->recipient_canonical);
	table_list_free(&m->virtual_alias);
	table_list_free(&m->local_recipient);
	table_list_free(&m->virtual_mailbox);
	table_list_free(&m->relay_recipient);
	table_list_free(&m->relocated);
	table_list_free(&m->transport);
	table_list_free(&m->sender_relayhost);
	table_list_free(&m->sender_transport);
	free(m);
}

enum verdict
maps_failed(const char *what, struct span key, const struct buf *value,
    struct why *why)
{
	log_warning("%s lookup error for \"%.*s\": %s", what, SPAN_ARG(key),
	    buf_text(value));
	return why_set(why, "4.3.0", "Temporary lookup failure");
}

/* One form of the address. */
static enum table_result
find(struct maps *m, struct table_list *l, struct span key, bool local_domain,
    struct arena *a, const char **value, const char **extension,
    struct buf *text)
{
	struct buf rest = BUF_INIT(MAIL_ADDRESS_MAX);
	enum table_result r = table_list_lookup_address(l, key,
	    m->common.recipient_delimiter, local_domain, text, &rest);

	if (r == TABLE_FOUND) {
		*value = arena_span(a, buf_span(text));
		*extension = arena_span(a, buf_span(&rest));
	}
	buf_fini(&rest);
	return r;
}

enum verdict
maps_find_address(struct maps *m, struct table_list *l, struct span address,
    bool local_domain, struct arena *a, bool *found, const char **value,
    const char **extension, struct why *why)
{
	struct buf quoted = BUF_INIT(MAIL_ADDRESS_MAX * 2 + 2);
	struct buf text = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = TABLE_NONE;
	enum verdict v = OK;

	*found = false;
	*value = "";
	*extension = "";
	if (table_list_empty(l))
		return OK;
	/* tables hold "user name"@domain; older ones may hold it bare */
	if (mail_address_quote(address, &quoted))
		r = find(m, l, buf_span(&quoted), local_domain, a, value,
		    extension, &text);
	if (r == TABLE_NONE && !span_equal(address, buf_span(&quoted)))
		r = find(m, l, address, local_domain, a, value, extension,
		    &text);
	*found = r == TABLE_FOUND;
	if (r == TABLE_AGAIN || r == TABLE_BROKEN)
		v = maps_failed("table", address, &text, why);
	buf_fini(&text);
	buf_fini(&quoted);
	return v;
}
