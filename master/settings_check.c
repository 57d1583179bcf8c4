/* SPDX-License-Identifier: ISC */
#include "master/settings_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/mail/character_set.h"
#include "lib/mail/destination.h"
#include "lib/net/port.h"
#include "lib/store/mail_account_location.h"
#include "lib/store/namespace_settings.h"
#include "lib/store/quota_rule.h"
#include "lib/store/special_folders.h"
#include "lib/store/uidl_format.h"
#include "lib/table/network.h"
#include "lib/table/words.h"
#include "master/complain.h"
#include "master/table_text.h"

enum { SMTP_PORT = 25 };

static void
check_protocols(const struct plan *plan, struct buf *errors)
{
	struct span rest = span_of(plan->common.inet_protocols), item;
	bool any = false;

	while (conf_list_next(&rest, &item)) {
		any = true;
		if (!span_is(item, "all") && !span_is(item, "ipv4") &&
		    !span_is(item, "ipv6"))
			complain_setting(errors, plan->conf, "inet_protocols",
			    "\"%.*s\" is none of: all ipv4 ipv6",
			    SPAN_ARG(item));
	}
	if (!any)
		complain_setting(errors, plan->conf, "inet_protocols",
		    "is empty: all, ipv4 or ipv6 is wanted");
}

bool
settings_check_interfaces(const struct plan *plan, struct buf *errors)
{
	struct endpoints found;
	struct buf error = BUF_INIT(1024);
	size_t before = errors->n;

	check_protocols(plan, errors);
	if (errors->n != before) /* no address can be right without */
		return false;
	if (!endpoints_of_interfaces(&plan->common, plan->arena, &found,
		&error))
		complain_setting(errors, plan->conf, "inet_interfaces", "%s",
		    buf_text(&error));
	for (size_t i = 0; buf_text(&error)[0] == '\0' && i < found.count;
	     i++) {
		const struct endpoint *e = &found.list[i];
		char host[ADDRESS_TEXT_MAX];

		if (e->optional || endpoint_try(e) == 0)
			continue;
		address_host(&e->address, host);
		complain_setting(errors, plan->conf, "inet_interfaces",
		    "%s: %s", host, strerror(errno));
	}
	buf_fini(&error);
	return errors->n == before;
}

/* A name may be one: that is asked when it is used. */
static bool
may_be_host(struct span word)
{
	struct network n;

	if (network_address(word, &n))
		return true;
	return !network_meant(word) && span_find(word, ':') == word.n &&
	    span_find(word, '/') == word.n;
}

void
settings_check_proxy_interfaces(const struct plan *plan, struct buf *errors)
{
	struct span rest = span_of(plan->common.proxy_interfaces), item;

	while (conf_list_next(&rest, &item))
		if (!may_be_host(item))
			complain_setting(errors, plan->conf, "proxy_interfaces",
			    "\"%.*s\" is neither an address nor a host name",
			    SPAN_ARG(item));
}

/* 192.0.2.1, 192.0.2.1:53, 2001:db8::1 or [2001:db8::1]:53, as c-ares does. */
static bool
is_name_server(struct span item)
{
	bool bracket = item.n > 0 && item.p[0] == '[';
	size_t end = span_find(item, bracket ? ']' : ':');
	struct span host = span_take(item, end), port;
	struct address a;
	uint64_t n;

	if (!bracket && address_parse_ip(item, 0, &a))
		return true;
	if (bracket && end == item.n)
		return false;
	host = span_skip(host, bracket ? 1 : 0);
	port = span_skip(item, end + (bracket ? 1 : 0));
	if (!address_parse_ip(host, 0, &a) ||
	    bracket != (a.any.sa_family == AF_INET6))
		return false;
	return port.n > 0 && port.p[0] == ':' &&
	    span_u64(span_skip(port, 1), 65535, &n) && n > 0;
}

void
settings_check_name_servers(const struct plan *plan, struct buf *errors)
{
	struct span rest = span_of(plan->common.dns_servers), item;

	while (rest.n > 0 && span_cut(&rest, ",", true, &item))
		if (!is_name_server(item))
			complain_setting(errors, plan->conf, "dns_servers",
			    "\"%.*s\" is not address or address:port (commas "
			    "between, no spaces)",
			    SPAN_ARG(item));
}

/* Next hops of one setting, or of one table that it names. */
struct checking {
	const struct plan *plan; /* NULL where no transport is named */
	struct conf *conf;
	const char *setting;
	const char *path; /* NULL: the setting itself */
	bool bare; /* no transport before the next hop */
	struct buf *errors;
	struct buf *warnings;
};

/* In a table it is somebody's mail that waits; in main.cf everybody's. */
static void
complain(const struct checking *k, unsigned int line, const char *what,
    struct span text)
{
	int n = (int)(text.n < 200 ? text.n : 200);

	if (k->path == NULL)
		complain_setting(k->errors, k->conf, k->setting, "\"%.*s\" %s",
		    n, text.p, what);
	else if (k->warnings != NULL)
		buf_printf(k->warnings, "%s: line %u: %s: \"%.*s\" %s\n",
		    k->path, line, k->setting, n, text.p, what);
}

static void
check_next_hop(const struct checking *k, unsigned int line, struct span hop,
    bool lmtp)
{
	struct destination found[DESTINATIONS_MAX];
	struct arena *a = arena_new();
	struct span bad = hop;

	if (destination_parse(a, arena_span(a, hop), lmtp, SMTP_PORT, found,
		&bad) == 0)
		complain(k, line,
		    "is no next hop: host, host:port, [host] or [host]:port "
		    "is wanted, IPv6 addresses in brackets",
		    bad);
	arena_free(&a);
}

static const struct planned *
find_service(const struct plan *plan, struct span name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->services[i].entry->type != SERVICE_INET &&
		    span_is(name, plan->services[i].entry->name))
			return &plan->services[i];
	return NULL;
}

/* "transport:nexthop": only the SMTP client's has a form. */
static void
check_value(const struct checking *k, unsigned int line, struct span value)
{
	size_t colon = span_find(value, ':');
	struct span name = span_take(value, colon);
	struct span hop = span_trim(span_skip(value, colon + 1));
	const struct planned *service = find_service(k->plan, name);

	if (k->bare) {
		check_next_hop(k, line, value, false);
	} else if (name.n > 0 && service == NULL) {
		if (k->path != NULL) /* main.cf's were told */
			complain(k, line,
			    "is no service in master.cf: its mail waits", name);
	} else if (hop.n > 0 && service != NULL &&
	    strcmp(service->program->name, "smtp") == 0) {
		check_next_hop(k, line, hop,
		    strcmp(service->entry->command, "lmtp") == 0);
	}
}

static void
check_line(void *with, const char *path, unsigned int line, struct span value)
{
	struct checking *k = with;

	k->path = path;
	if (value.n > 0 && !span_is_nocase(value, "DUNNO"))
		check_value(k, line, value);
	k->path = NULL;
}

void
settings_check_next_hops(const struct plan *plan, struct buf *errors,
    struct buf *warnings)
{
	static const struct {
		const char *setting;
		bool bare;
		bool tables;
	} rows[] = {
		{ "relayhost", true, false },
		{ "default_transport", false, false },
		{ "relay_transport", false, false },
		{ "local_transport", false, false },
		{ "virtual_transport", false, false },
		{ "mailbox_transport", false, false },
		{ "fallback_transport", false, false },
		{ "transport_maps", false, true },
		{ "sender_dependent_default_transport_maps", false, true },
		{ "sender_dependent_relayhost_maps", true, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct checking k = { plan, plan->conf, rows[i].setting, NULL,
			rows[i].bare, errors, warnings };
		struct span value = span_of(
				conf_value(plan->conf, rows[i].setting)),
			    word;

		/* what a default refers to is told of by its own name */
		if (conf_raw(plan->conf, rows[i].setting) == NULL)
			continue;
		if (!rows[i].tables && span_trim(value).n > 0)
			check_value(&k, 0, span_trim(value));
		while (rows[i].tables && warnings != NULL &&
		    words_next(&value, &word))
			table_text_each(word, check_line, &k);
	}
}

void
settings_check_fallbacks(struct conf *c, struct buf *complaints)
{
	static const struct {
		const char *setting;
		const char *older; /* which it refers to unless it is set */
		bool lmtp;
	} rows[] = {
		{ "smtp_fallback_relay", "fallback_relay", false },
		{ "lmtp_fallback_relay", NULL, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *set = rows[i].setting;
		struct span value = span_trim(span_of(conf_value(c, set)));
		struct checking k = { .conf = c, .errors = complaints };

		k.setting = rows[i].older != NULL && conf_raw(c, set) == NULL ?
		    rows[i].older :
		    set;
		if (value.n > 0)
			check_next_hop(&k, 0, value, rows[i].lmtp);
	}
}

/* Of those names only that stand in the setting itself. */
static bool
names_domain(const struct plan *plan, const char *setting, struct span domain)
{
	struct span rest = span_of(conf_value(plan->conf, setting)), word;

	while (conf_list_next(&rest, &word)) {
		char *text = mem_span_text(word);
		bool same = span_is_nocase(domain, text);

		free(text);
		if (same)
			return true;
	}
	return false;
}

void
settings_check_domains(const struct plan *plan, struct buf *warnings)
{
	/* In the order in which lookup asks: the first one wins. */
	static const char *const classes[] = { "mydestination",
		"virtual_alias_domains", "virtual_mailbox_domains" };
	enum { CLASSES = sizeof(classes) / sizeof(classes[0]) };

	for (size_t i = 0; warnings != NULL && i < CLASSES - 1; i++) {
		struct span rest = span_of(conf_value(plan->conf, classes[i])),
			    word;

		while (conf_list_next(&rest, &word))
			for (size_t j = i + 1; j < CLASSES; j++)
				if (word.p[0] != '!' &&
				    names_domain(plan, classes[j], word))
					complain_setting(warnings, plan->conf,
					    classes[j],
					    "do not list domain %.*s in BOTH "
					    "%s and %s: the first one counts",
					    SPAN_ARG(word), classes[i],
					    classes[j]);
	}
}

static bool
has_program(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->services[i].program->name, name) == 0)
			return true;
	return false;
}

/* POP3 alone can do with an INBOX that is outside of the rest. */
static bool
location_fine(const struct plan *plan, struct why *why)
{
	struct buf text = BUF_INIT(4096);
	char *directory = NULL, *inside = NULL;
	bool fine;

	mail_location_expand(conf_value(plan->conf, "account_mail"),
	    "user@example.com", "/home/user", &text);
	fine = has_program(plan, "imapd") ?
	    mail_location_confine(buf_text(&text), &directory, &inside, why) :
	    mail_location_confine_inbox(buf_text(&text), &directory, &inside,
		why);
	free(directory);
	free(inside);
	buf_fini(&text);
	return fine;
}

static void
check_characters(const struct plan *plan, struct buf *errors)
{
	static const char *const settings[] = { "message_reject_characters",
		"message_strip_characters" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *text = conf_value(plan->conf, settings[i]);
		struct character_set set;

		if (text != NULL && !character_set_parse(span_of(text), &set))
			complain_setting(errors, plan->conf, settings[i],
			    "bad character in \"%s\"", text);
	}
}

static void
check_namespaces(const struct plan *plan, struct buf *errors)
{
	const struct namespace_texts texts = {
		conf_value(plan->conf, "mail_shared_prefix"),
		conf_value(plan->conf, "mail_public_folders"),
		conf_value(plan->conf, "mail_public_owners"),
	};
	struct namespace_settings settings;
	const char *setting;
	struct why why;

	if (!namespace_settings_parse(&texts,
		conf_value(plan->conf, "mail_hierarchy_separator")[0],
		&settings, &setting, &why))
		complain_setting(errors, plan->conf, setting, "%s", why.text);
	namespace_settings_fini(&settings);
}

void
settings_check_mailboxes(const struct plan *plan, struct buf *errors)
{
	struct special_folder special[SPECIAL_FOLDERS_MAX + 1];
	const char *quota = conf_value(plan->conf, "account_quota");
	struct quota_rule rule;
	struct uidl_format uidl;
	struct why why;

	if (!quota_rule_parse(span_of(quota), &rule))
		complain_setting(errors, plan->conf, "account_quota",
		    "\"%s\" is not understood", quota);
	if (!special_folders_parse(conf_value(plan->conf,
				       "mail_special_folders"),
		special, &why))
		complain_setting(errors, plan->conf, "mail_special_folders",
		    "%s", why.text);
	else
		special_folders_fini(special);
	if (!uidl_format_parse(conf_value(plan->conf, "pop3_uidl_format"),
		&uidl, &why)) /* names itself */
		complain_setting(errors, plan->conf, "pop3_uidl_format", "%s",
		    why.text + strlen("pop3_uidl_format: "));
	check_namespaces(plan, errors);
	check_characters(plan, errors);
	if (!location_fine(plan, &why))
		complain_setting(errors, plan->conf, "account_mail", "%s",
		    why.text);
}

/* Of -o name=value, where the last one wins; NULL: there is none. */
static const char *
override_of(const struct master_entry *e, const char *name)
{
	const char *value = NULL;
	size_t n = strlen(name);

	for (char **o = e->overrides; *o != NULL; o++)
		if (strncmp(*o, name, n) == 0 && (*o)[n] == '=')
			value = *o + n + 1;
	return value;
}

/* imapd_tls_cert_file or pop3d_... is smtpd_tls_cert_file by default. */
static bool
is_set(const struct plan *plan, const struct master_entry *e, const char *end)
{
	char *own = mem_printf("%s_%s", e->command, end);
	char *common = mem_printf("smtpd_%s", end);
	const char *value = override_of(e, own);

	if (value == NULL && conf_raw(plan->conf, own) == NULL)
		value = override_of(e, common);
	if (value == NULL)
		value = conf_value(plan->conf, own);
	free(own);
	free(common);
	return value[0] != '\0';
}

static void
check_login(const struct plan *plan, const struct master_entry *e,
    struct buf *warnings)
{
	const char *refused = override_of(e, "disable_plaintext_auth");

	if (refused == NULL)
		refused = conf_value(plan->conf, "disable_plaintext_auth");
	if (conf_yes(refused) && !is_set(plan, e, "tls_cert_file") &&
	    !is_set(plan, e, "tls_chain_files"))
		complain_service(warnings, e,
		    "nobody can log in: there is no certificate "
		    "(smtpd_tls_cert_file), and without TLS no password is "
		    "taken (disable_plaintext_auth)");
}

void
settings_check_accounts(const struct plan *plan, struct buf *warnings)
{
	struct span rest = span_of(conf_value(plan->conf, "account_files"));
	struct span word;
	bool accounts = conf_list_next(&rest, &word);

	for (size_t i = 0; warnings != NULL && i < plan->count; i++) {
		const struct master_entry *e = plan->services[i].entry;
		const char *name = plan->services[i].program->name;

		if (strcmp(name, "imapd") != 0 && strcmp(name, "pop3d") != 0)
			continue;
		if (accounts) {
			check_login(plan, e, warnings);
			continue;
		}
		complain_setting(warnings, plan->conf, "account_files",
		    "not set: nobody can log in to %s", e->name);
		return;
	}
}

/* In main.cf, or for one of the services. */
static bool
is_yes_anywhere(const struct plan *plan, const char *name)
{
	if (conf_is_yes(plan->conf, name))
		return true;
	for (size_t i = 0; i < plan->count; i++) {
		if (conf_yes(override_of(plan->services[i].entry, name)))
			return true;
	}
	return false;
}

static bool
ends_with_port(struct span hop, const char *port)
{
	size_t n = strlen(port);

	return hop.n > n && hop.p[hop.n - n - 1] == ':' &&
	    memcmp(hop.p + hop.n - n, port, n) == 0;
}

void
settings_check_client(const struct plan *plan, struct buf *warnings)
{
	static const char login[] = "smtp_sasl_auth_enable";
	static const char passwords[] = "smtp_sasl_password_maps";
	static const char wrapper[] = "smtp_tls_wrappermode";
	struct span rest = span_of(conf_value(plan->conf, "relayhost")), hop;
	bool logs_in = is_yes_anywhere(plan, login);

	if (warnings == NULL)
		return;
	if (conf_value(plan->conf, passwords)[0] != '\0' && !logs_in)
		complain_setting(warnings, plan->conf, passwords,
		    "not used: %s is no", login);
	if (conf_is_yes(plan->conf, login) &&
	    conf_value(plan->conf, passwords)[0] == '\0')
		complain_setting(warnings, plan->conf, login,
		    "there are no passwords: %s is empty", passwords);
	while (conf_list_next(&rest, &hop))
		if ((ends_with_port(hop, "465") ||
			ends_with_port(hop, "smtps")) &&
		    !is_yes_anywhere(plan, wrapper))
			complain_setting(warnings, plan->conf, "relayhost",
			    "\"%.*s\" wants TLS before all else: %s = yes, "
			    "or port 587",
			    SPAN_ARG(hop), wrapper);
}
