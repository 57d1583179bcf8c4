/* SPDX-License-Identifier: ISC */
#ifndef SMTP_SETTINGS_H
#define SMTP_SETTINGS_H

/*
 * What the client was told, and what it read before it was confined. One set
 * for the process; for a service that speaks LMTP the smtp_ fields hold what
 * the lmtp_ settings say, so that the code asks once.
 */

#include <netinet/in.h>
#include "lib/conf/common.h"
#include "lib/net/address.h"
#include "lib/service/service.h"
#include "lib/tls/tls_settings.h"
#include "smtp/policy.h"

#define PARAM_GROUP smtp
#define PARAM_DEF "smtp/params.def"
#include "lib/conf/param.h"

struct client_settings {
	struct common_params common;
	struct smtp_params smtp;
	struct tls_params tls;
	bool lmtp;
	uint16_t port; /* smtp_tcp_port */
	int family; /* AF_UNSPEC: both */
	struct policy policy; /* where smtp_tls_policy_maps says nothing */
	struct tls_context *tls_contexts[TLS_VERIFY + 1]; /* by level */
	struct address bind4, bind6; /* length 0: none */
	struct address *own; /* addresses of this machine */
	size_t own_count;
};

const struct client_settings *settings(void);
/* For service_spec. */
extern const struct service_params settings_params[];
/* With master's rights: reads files, looks ports and addresses up. */
void settings_before(const struct service *s);
bool settings_own_address(const struct address *a);

#endif
