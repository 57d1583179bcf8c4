/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_settings.h"

#include <string.h>

#include "lib/base/buf.h"

enum tls_level
tls_level_of(const char *word)
{
	static const struct {
		const char *word;
		enum tls_level level;
	} levels[] = {
		{ "may", TLS_MAY },
		{ "encrypt", TLS_ENCRYPT },
		{ "fingerprint", TLS_ENCRYPT },
		{ "verify", TLS_VERIFY },
		{ "secure", TLS_VERIFY },
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(word, levels[i].word) == 0)
			return levels[i].level;
	return TLS_NONE;
}

/* Each name of a list as ":!NAME". */
static void
exclude(struct buf *list, const char *names)
{
	struct span rest = span_of(names), word;

	while (span_cut(&rest, " \t\r\n,:", true, &word))
		if (word.n > 0)
			buf_printf(list, ":!%.*s", SPAN_ARG(word));
}

static void
cipher_list(const struct tls_params *p, const char *grade, const char *excluded,
    const char *more, struct buf *list)
{
	buf_add_text(list,
	    strcmp(grade, "high") == 0 ? p->tls_high_cipherlist :
					 p->tls_medium_cipherlist);
	exclude(list, excluded);
	exclude(list, more);
}

static struct tls_choice
choice_of(const struct tls_params *p, int64_t depth)
{
	return (struct tls_choice){
		.options = p->tls_ssl_options,
		.groups = { p->tls_eecdh_auto_curves,
		    p->tls_ffdhe_auto_groups },
		.depth_set = true,
		.depth = (int)depth,
		.system_authorities = p->tls_append_default_CA,
		.wildcard_many = p->tls_wildcard_matches_multiple_labels,
	};
}

/* smtpd_tls_eecdh_grade: one curve, all, or none. */
static void
grade(const struct tls_params *p, struct tls_choice *c, struct buf *ciphers)
{
	if (strcmp(p->smtpd_tls_eecdh_grade, "strong") == 0)
		c->groups[0] = p->tls_eecdh_strong_curve;
	else if (strcmp(p->smtpd_tls_eecdh_grade, "ultra") == 0)
		c->groups[0] = p->tls_eecdh_ultra_curve;
	if (strcmp(p->smtpd_tls_eecdh_grade, "none") != 0)
		return;
	c->groups[0] = "";
	exclude(ciphers, "kEECDH");
}

bool
tls_smtpd_context(const struct tls_params *p,
    const struct tls_server_settings *keys, struct tls_context **context,
    const char **error)
{
	enum tls_level level = tls_level_of(p->smtpd_tls_security_level);
	bool must = level >= TLS_ENCRYPT || p->smtpd_tls_wrappermode;
	struct buf ciphers = BUF_INIT(4096);
	struct tls_server_settings s = {
		.files = {
			.chain_files = p->smtpd_tls_chain_files,
			.cert_file = p->smtpd_tls_cert_file,
			.key_file = p->smtpd_tls_key_file,
			.eccert_file = p->smtpd_tls_eccert_file,
			.eckey_file = p->smtpd_tls_eckey_file,
		},
		.sign = keys->sign,
		.chain_of = keys->chain_of,
		.chain_end = keys->chain_end,
		.tickets = keys->tickets,
		.protocols = must ? p->smtpd_tls_mandatory_protocols :
				    p->smtpd_tls_protocols,
		.alpn = "smtp",
		.ask_client_certificate = p->smtpd_tls_ask_ccert,
		.ca_file = p->smtpd_tls_CAfile,
		.ca_directory = p->smtpd_tls_CApath,
		.choice = choice_of(p, p->smtpd_tls_ccert_verifydepth),
		.session_id_context = keys->session_id_context,
	};

	*context = NULL;
	if (level == TLS_NONE && !p->smtpd_tls_wrappermode)
		return true;
	cipher_list(p,
	    must ? p->smtpd_tls_mandatory_ciphers : p->smtpd_tls_ciphers,
	    p->smtpd_tls_exclude_ciphers,
	    must ? p->smtpd_tls_mandatory_exclude_ciphers : "", &ciphers);
	grade(p, &s.choice, &ciphers);
	s.ciphers = buf_text(&ciphers);
	*context = tls_server_new(&s, error);
	buf_fini(&ciphers);
	return *context != NULL;
}

bool
tls_smtp_context(const struct tls_params *p, enum tls_level level,
    tls_sign_function *sign, struct tls_context **context, const char **error)
{
	bool must = level >= TLS_ENCRYPT;
	struct buf ciphers = BUF_INIT(4096);
	struct tls_client_settings s = {
		.level = level,
		.ca_file = p->smtp_tls_CAfile,
		.ca_directory = p->smtp_tls_CApath,
		.anchors = p->smtp_tls_trust_anchor_file,
		.protocols = must ? p->smtp_tls_mandatory_protocols :
				    p->smtp_tls_protocols,
		.files = {
			.chain_files = p->smtp_tls_chain_files,
			.cert_file = p->smtp_tls_cert_file,
			.key_file = p->smtp_tls_key_file,
			.eccert_file = p->smtp_tls_eccert_file,
			.eckey_file = p->smtp_tls_eckey_file,
		},
		.choice = choice_of(p, p->smtp_tls_scert_verifydepth),
		.sign = sign,
		.resume_s = p->smtp_tls_session_cache_timeout,
	};

	cipher_list(p,
	    must ? p->smtp_tls_mandatory_ciphers : p->smtp_tls_ciphers,
	    p->smtp_tls_exclude_ciphers,
	    must ? p->smtp_tls_mandatory_exclude_ciphers : "", &ciphers);
	s.ciphers = buf_text(&ciphers);
	*context = tls_client_new(&s, error);
	buf_fini(&ciphers);
	return *context != NULL;
}
