/* SPDX-License-Identifier: ISC */
#include "smtpd/config.h"

#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/conf/receive_override.h"
#include "lib/log/log.h"
#include "lib/service/remote_key.h"
#include "lib/tls/tls_kept.h"

enum { LISTS = 6 }; /* in smtpd_config */

/* One for sessions as usual, and one for those under stress. */
static struct mode {
	struct common_params common;
	struct tls_params tls;
	struct smtpd_params smtpd;
	struct smtpd_config config;
} calm, stressed;

static const struct mode *under_stress = &calm;

const struct service_params smtpd_service_params[] = {
	{ &common_param_group, &calm.common },
	{ &tls_param_group, &calm.tls },
	{ &smtpd_param_group, &calm.smtpd },
	{ NULL, NULL },
};

static const struct {
	const char *name;
	enum ehlo_keyword keyword;
} keywords[] = {
	{ "pipelining", EHLO_PIPELINING },
	{ "size", EHLO_SIZE },
	{ "vrfy", EHLO_VRFY },
	{ "starttls", EHLO_STARTTLS },
	{ "auth", EHLO_AUTH },
	{ "enhancedstatuscodes", EHLO_ENHANCEDSTATUSCODES },
	{ "8bitmime", EHLO_8BITMIME },
	{ "dsn", EHLO_DSN },
	{ "smtputf8", EHLO_SMTPUTF8 },
	{ "chunking", EHLO_CHUNKING },
	{ "xclient", EHLO_XCLIENT },
	{ "xforward", EHLO_XFORWARD },
	{ "silent-discard", EHLO_SILENT },
};

/* What is known, and never announced. */
static bool
is_no_keyword_here(struct span word)
{
	return span_is_nocase(word, "etrn") ||
	    span_is_nocase(word, "requiretls") || span_is_nocase(word, "verp");
}

unsigned int
smtpd_ehlo_keywords(const char *setting, const char *list, struct buf *error)
{
	struct span rest = span_of(list), word;
	unsigned int found = 0;

	while (conf_list_next(&rest, &word)) {
		size_t i = 0;

		while (i < sizeof(keywords) / sizeof(keywords[0]) &&
		    !span_is_nocase(word, keywords[i].name))
			i++;
		if (i < sizeof(keywords) / sizeof(keywords[0]))
			found |= keywords[i].keyword;
		else if (!is_no_keyword_here(word))
			buf_printf(error, "%s: unknown keyword: %.*s\n",
			    setting, SPAN_ARG(word));
	}
	return found;
}

static bool
names_list(const char *setting, const char *word)
{
	struct span rest = span_of(setting), item;

	while (conf_list_next(&rest, &item))
		if (span_is(item, word))
			return true;
	return false;
}

/* Does "example.test" in this list mean what is below it, too? */
static bool
parents_of(const struct mode *m, const char *setting)
{
	return names_list(m->common.parent_domain_matches_subdomains, setting);
}

/* The same text is the same list, in both modes; process lifetime. */
static struct client_list *
read_list(const char *setting, const char *text, bool parents,
    struct buf *error)
{
	static struct {
		char *text;
		bool parents;
		struct client_list *list;
	} known[2 * LISTS];
	static size_t count;

	for (size_t i = 0; i < count; i++)
		if (known[i].parents == parents &&
		    strcmp(known[i].text, text) == 0)
			return known[i].list;
	ensure(count < 2 * LISTS);
	known[count].text = mem_text(text);
	known[count].parents = parents;
	known[count].list = client_list_new(setting, text, parents, error);
	return known[count++].list;
}

static void
read_lists(struct mode *m, struct buf *error)
{
	const struct smtpd_params *p = &m->smtpd;
	struct smtpd_config *to = &m->config;
	const char *exceptions = p->smtpd_client_event_limit_exceptions;
	bool parents = parents_of(m, "mynetworks");

	to->mynetworks =
	    read_list("mynetworks", m->common.mynetworks, parents, error);
	/* which comes out empty where its older name is set */
	if (exceptions[0] == '\0')
		exceptions = p->smtpd_client_connection_limit_exceptions;
	to->limit_exceptions = read_list("smtpd_client_event_limit_exceptions",
	    exceptions, parents, error);
	to->newline_exceptions =
	    read_list("smtpd_forbid_bare_newline_exclusions",
		p->smtpd_forbid_bare_newline_exclusions, parents, error);
	to->auth_exceptions = read_list("smtpd_sasl_exceptions_networks",
	    p->smtpd_sasl_exceptions_networks, parents, error);
	to->mechanisms = client_list_new("smtpd_sasl_mechanism_filter",
	    p->smtpd_sasl_mechanism_filter, false, error);
	to->logged_permits = client_list_new("smtpd_log_access_permit_actions",
	    p->smtpd_log_access_permit_actions, false, error);
	to->xclient_hosts = read_list("smtpd_authorized_xclient_hosts",
	    p->smtpd_authorized_xclient_hosts,
	    parents_of(m, "smtpd_authorized_xclient_hosts"), error);
	to->xforward_hosts = read_list("smtpd_authorized_xforward_hosts",
	    p->smtpd_authorized_xforward_hosts,
	    parents_of(m, "smtpd_authorized_xforward_hosts"), error);
}

static void
read_tls(struct mode *m)
{
	const struct tls_params *p = &m->tls;
	struct smtpd_config *to = &m->config;
	const struct tls_server_settings keyd = {
		.sign = remote_key_sign,
		.chain_of = remote_key_chain,
		.chain_end = remote_key_chain_end,
		.tickets = remote_key_tickets,
		.session_id_context = to->service->name,
	};
	const char *why = "";

	to->tls_required =
	    tls_level_of(p->smtpd_tls_security_level) >= TLS_ENCRYPT;
	if (tls_smtpd_context(p, &keyd, &to->tls, &why))
		return;
	/* never without the encryption that was asked for */
	if (to->tls_required || p->smtpd_tls_wrappermode)
		fatal("%s", why);
	log_warning("%s; TLS is not offered", why);
}

/* All but TLS. */
static void
read_mode(struct mode *m, const struct service *service, struct buf *error)
{
	m->config.service = service;
	m->config.service_key =
	    mem_printf("%s/%s", service->type, service->name);
	m->config.common = &m->common;
	m->config.tls_params = &m->tls;
	m->config.params = &m->smtpd;
	m->config.parents_match = parents_of(m, "smtpd_access_maps");
	m->config.discard = smtpd_ehlo_keywords("smtpd_discard_ehlo_keywords",
	    m->smtpd.smtpd_discard_ehlo_keywords, error);
	m->config.left_out =
	    receive_override_parse(m->common.receive_override_options, error);
	read_lists(m, error);
	m->config.restrictions =
	    restriction_lists_new(service->conf, &m->smtpd, error);
}

/* The values of all settings of TLS. */
static void
tls_values(struct conf *c, struct buf *to)
{
	for (size_t i = 0; i < tls_param_group.count; i++) {
		const char *value =
		    conf_value(c, tls_param_group.params[i].name);

		buf_printf(to, "%s\n", value != NULL ? value : "");
	}
}

/* Keys and certificates are not loaded twice without need. */
static void
read_stressed_tls(struct conf *c, const struct buf *as_usual)
{
	struct buf now = BUF_INIT(1 << 20);

	tls_values(c, &now);
	if (span_equal(buf_span(&now), buf_span(as_usual))) {
		stressed.config.tls = calm.config.tls;
		stressed.config.tls_required = calm.config.tls_required;
	} else {
		read_tls(&stressed);
	}
	buf_fini(&now);
}

/*
 * The same settings once more, as they are with stress = yes; but what the
 * site itself says of stress, with -o or in main.cf, holds for all sessions.
 */
static void
read_stressed(const struct service *service, struct buf *error)
{
	struct buf again = BUF_INIT(65536); /* what was said of the calm ones */
	struct buf as_usual = BUF_INIT(1 << 20);
	struct conf *c = service->conf;

	if (conf_raw(c, "stress") != NULL)
		return;
	tls_values(c, &as_usual);
	if (conf_override(c, "stress=yes", error) &&
	    conf_fill(c, &common_param_group, &stressed.common, error) &&
	    conf_fill(c, &tls_param_group, &stressed.tls, error) &&
	    conf_fill(c, &smtpd_param_group, &stressed.smtpd, error)) {
		read_mode(&stressed, service, &again);
		read_stressed_tls(c, &as_usual);
		under_stress = &stressed;
	}
	(void)conf_override(c, "stress=", error);
	buf_fini(&as_usual);
	buf_fini(&again);
}

void
smtpd_config_load(const struct service *service)
{
	struct buf error = BUF_INIT(65536);
	struct span rest, line;

	read_mode(&calm, service, &error);
	service_certificates();
	read_tls(&calm);
	read_stressed(service, &error);
	tls_kept_drop();
	rest = buf_span(&error);
	while (span_cut(&rest, "\n", true, &line))
		log_warning("%.*s", SPAN_ARG(line));
	buf_fini(&error);
}

const struct smtpd_config *
smtpd_config(bool under)
{
	return under ? &under_stress->config : &calm.config;
}
