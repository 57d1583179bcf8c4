/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_SERVICE_SETTINGS_H
#define LOOKUP_SERVICE_SETTINGS_H

/*
 * Settings as one service of master.cf has them: main.cf with its -o, which
 * may name each other, and which what main.cf says may name.
 */

#include "lib/base/mem.h"
#include "lib/conf/conf.h"

struct service_settings {
	struct conf *conf;
	char **overrides; /* "name=value", NULL at the end */
	struct arena *arena; /* of the results */
	int depth; /* 0 */
};

/* A text with $name expanded; "" when it cannot be. */
const char *
service_settings_expand(struct service_settings *s, const char *text);
/* NULL: what main.cf or the default says, no -o has a part in it. */
const char *
service_setting_if_other(struct service_settings *s, const char *name);
/* "" for no such name. */
const char *service_setting(struct service_settings *s, const char *name);

#endif
