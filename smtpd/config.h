/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CONFIG_H
#define SMTPD_CONFIG_H

/*
 * What smtpd makes of its settings at start, before it is confined: as they
 * are, and as they are with stress = yes. Const from then on.
 */

#include "lib/conf/common.h"
#include "lib/service/service.h"
#include "lib/tls/tls_settings.h"
#include "smtpd/client_list.h"
#include "smtpd/restriction.h"

#define PARAM_GROUP smtpd
#define PARAM_DEF "smtpd/params.def"
#include "lib/conf/param.h"

enum ehlo_keyword {
	EHLO_PIPELINING = 1,
	EHLO_SIZE = 2,
	EHLO_VRFY = 4,
	EHLO_STARTTLS = 8,
	EHLO_AUTH = 16,
	EHLO_ENHANCEDSTATUSCODES = 32,
	EHLO_8BITMIME = 64,
	EHLO_DSN = 128,
	EHLO_SMTPUTF8 = 256,
	EHLO_CHUNKING = 1024,
	EHLO_SILENT = 512, /* silent-discard */
	EHLO_XCLIENT = 2048,
	EHLO_XFORWARD = 4096,
};

struct smtpd_config {
	const struct service *service;
	const char *service_key; /* "inet/smtp", for lookup */
	const struct common_params *common;
	const struct tls_params *tls_params;
	const struct smtpd_params *params;

	struct tls_context *tls; /* NULL: no TLS */
	bool tls_required; /* encrypt */
	unsigned int discard; /* enum ehlo_keyword */
	unsigned int left_out; /* enum receive_override */
	struct client_list *mynetworks;
	struct client_list *limit_exceptions;
	struct client_list *newline_exceptions;
	struct client_list *auth_exceptions;
	struct client_list *mechanisms; /* smtpd_sasl_mechanism_filter */
	struct client_list *logged_permits;
	struct client_list *xclient_hosts;
	struct client_list *xforward_hosts;
	struct restriction_lists *restrictions;
	bool parents_match; /* parent_domain_matches_subdomains has
			       smtpd_access_maps */
};

/* The parameter structs that service_run fills. */
extern const struct service_params smtpd_service_params[];

/* fatal() for settings nobody can work with. */
void smtpd_config_load(const struct service *service);
/*
 * The keywords of a list as smtpd_discard_ehlo_keywords, enum ehlo_keyword;
 * lines in *error for what is none.
 */
unsigned int
smtpd_ehlo_keywords(const char *setting, const char *list, struct buf *error);
/* After confinement. */
const struct smtpd_config *smtpd_config(bool stressed);

#endif
