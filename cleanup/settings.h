/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_SETTINGS_H
#define CLEANUP_SETTINGS_H

/*
 * The settings of cleanup as it works with them; filled once, then const.
 * Lives as long as the process.
 */

#include "lib/conf/common.h"
#include "lib/mail/character_set.h"
#include "lib/mail/rewrite.h"

#define PARAM_GROUP cleanup
#define PARAM_DEF "cleanup/params.def"
#include "lib/conf/param.h"

struct settings {
	struct common_params common;
	struct cleanup_params own;
	/* services whose deliveries want headers in front, "local" without
	 * the nexthop */
	struct span local_transport;
	struct span virtual_transport;
	/* where lookup has tables for it, lookup is asked */
	bool rewrites_sender;
	bool rewrites_headers;
	struct rewrite_rules rules; /* of addresses that are our own people's */
	const char *delimiter;
	struct character_set rejected; /* message_reject_characters */
	struct character_set stripped;
};

/* Fills what is derived from other programs' settings. */
void settings_derive(struct settings *s, struct conf *c);

#endif
