/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_CLIENT_CONFIG_H
#define LIB_TABLE_CLIENT_CONFIG_H

/*
 * The settings of one table of a module, checked, and the connections to its
 * servers, which end with them: a changed file begins anew.
 */

#include "lib/base/buf.h"
#include "lib/table/server_set.h"
#include "lib/table/table.h"
#include "lib/table/table_settings.h"

enum { CLIENT_ERROR_MAX = 1024 };

struct client_source {
	const struct table_module *module;
	const char *name; /* of the table, for messages */
};

struct client_config {
	const struct table_module *module;
	const char *name;
	struct table_settings *settings;
	struct settings_told told; /* with errors it cannot be used */
	bool mentioned; /* the rest of them, in the log */
	struct match_list *domain; /* NULL: any key */
	struct server_set servers;
	char *query;
	const char *base; /* NULL: there is no such thing */
	const char *result_format;
	int64_t expansion_limit;
	int64_t timeout_ms, idle_ms, retry_ms;
	bool down; /* for want of a server the last question failed */
	char last_error[CLIENT_ERROR_MAX];
};

/* Never NULL. */
struct client_config *client_config_parse(const struct client_source *s,
    const char *path, struct span text);
/* From PREFIX_name settings of main.cf: table_main_settings. */
struct client_config *
client_config_gather(const struct client_source *s, const char *prefix);
void client_config_free(struct client_config **c);
void client_config_hang_up(struct client_config *c, struct server *server);
/*
 * TABLE_NONE: the setting "domain" (NULL: not set) says that this key is not
 * there. AGAIN and BROKEN are of a table in that setting.
 */
enum table_result client_domain_concerns(struct match_list *domain,
    struct span key, struct buf *why);
enum table_result client_config_concerns(struct client_config *c,
    struct span key, struct buf *why);

#endif
