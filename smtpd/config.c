/* SPDX-License-Identifier: ISC */
#include "smtpd/config.h"

#include <string.h>

#include "lib/log/log.h"
#include "lib/service/remote_key.h"

static struct common_params common;
static struct tls_params tls;
static struct smtpd_config config;

const struct service_params smtpd_service_params[] = {
	{ &common_param_group, &common },
	{ &tls_param_group, &tls },
	{ &smtpd_param_group, &config.calm },
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

static void
read_keywords(struct buf *error)
{
	struct span rest = span_of(config.calm.smtpd_discard_ehlo_keywords);
	struct span word;

	while (conf_list_next(&rest, &word)) {
		size_t i = 0;

		while (i < sizeof(keywords) / sizeof(keywords[0]) &&
		    !span_is_nocase(word, keywords[i].name))
			i++;
		if (i < sizeof(keywords) / sizeof(keywords[0]))
			config.discard |= keywords[i].keyword;
		else if (!span_is_nocase(word, "etrn") &&
		    !span_is_nocase(word, "requiretls") &&
		    !span_is_nocase(word, "verp"))
			buf_printf(error,
			    "smtpd_discard_ehlo_keywords: "
			    "unknown keyword: %.*s\n",
			    SPAN_ARG(word));
	}
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
parents_of(const char *setting)
{
	return names_list(common.parent_domain_matches_subdomains, setting);
}

/* The same text is the same list. */
static struct client_list *
read_list(const char *setting, const char *text, bool parents,
    struct buf *error)
{
	if (strcmp(text, common.mynetworks) == 0)
		return config.mynetworks;
	return client_list_new(setting, text, parents, error);
}

static void
read_lists(struct buf *error)
{
	const struct smtpd_params *p = &config.calm;
	const char *exceptions = p->smtpd_client_event_limit_exceptions;
	bool parents = parents_of("mynetworks");

	config.mynetworks =
	    client_list_new("mynetworks", common.mynetworks, parents, error);
	/* which comes out empty where its older name is set */
	if (exceptions[0] == '\0')
		exceptions = p->smtpd_client_connection_limit_exceptions;
	config.limit_exceptions =
	    read_list("smtpd_client_event_limit_exceptions", exceptions,
		parents, error);
	config.newline_exceptions =
	    read_list("smtpd_forbid_bare_newline_exclusions",
		p->smtpd_forbid_bare_newline_exclusions, parents, error);
	config.auth_exceptions = read_list("smtpd_sasl_exceptions_networks",
	    p->smtpd_sasl_exceptions_networks, parents, error);
	config.xclient_hosts = read_list("smtpd_authorized_xclient_hosts",
	    p->smtpd_authorized_xclient_hosts,
	    parents_of("smtpd_authorized_xclient_hosts"), error);
	config.xforward_hosts = read_list("smtpd_authorized_xforward_hosts",
	    p->smtpd_authorized_xforward_hosts,
	    parents_of("smtpd_authorized_xforward_hosts"), error);
}

/*
 * The same settings once more, as they are with stress = yes; but what the
 * site itself says of stress, with -o or in main.cf, holds for all sessions.
 */
static void
read_stressed(struct conf *c, struct buf *error)
{
	struct buf again = BUF_INIT(65536); /* what was said of the calm ones */
	bool chosen = conf_raw(c, "stress") != NULL;

	if (chosen || !conf_override(c, "stress=yes", error) ||
	    !conf_fill(c, &smtpd_param_group, &config.stressed, error))
		config.stressed = config.calm;
	config.stressed_restrictions =
	    restriction_lists_new(c, &config.stressed, &again);
	if (!chosen)
		conf_override(c, "stress=", error);
	buf_fini(&again);
}

static void
read_tls(const struct service *service)
{
	const char *why = "";

	config.tls_required =
	    tls_level_of(tls.smtpd_tls_security_level) >= TLS_ENCRYPT;
	if (tls_smtpd_context(&tls, service->name, remote_key_sign,
		remote_key_chain, &config.tls, &why))
		return;
	/* never without the encryption that was asked for */
	if (config.tls_required || tls.smtpd_tls_wrappermode)
		fatal("%s", why);
	log_warning("%s; TLS is not offered", why);
}

void
smtpd_config_load(const struct service *service)
{
	struct buf error = BUF_INIT(65536);
	struct span rest, line;

	config.service = service;
	config.common = &common;
	config.tls_params = &tls;
	config.parents_match = parents_of("smtpd_access_maps");
	read_keywords(&error);
	read_lists(&error);
	read_stressed(service->conf, &error);
	config.restrictions =
	    restriction_lists_new(service->conf, &config.calm, &error);
	read_tls(service);
	rest = buf_span(&error);
	while (span_cut(&rest, "\n", true, &line))
		log_warning("%.*s", SPAN_ARG(line));
	buf_fini(&error);
}

const struct smtpd_config *
smtpd_config(void)
{
	return &config;
}
