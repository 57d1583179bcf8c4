/* SPDX-License-Identifier: ISC */
#include "lib/table/client_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/table/key_format.h"
#include "lib/table/main_setting.h"

static const struct module_setting common[] = {
#define NETWORK(...)
#define SQL(...)
#define COMMON(...) { __VA_ARGS__ },
#include "lib/table/client_settings.def"
#undef COMMON
#undef NETWORK
#undef SQL
	{ NULL, MODULE_TEXT, NULL, 0, 0, NULL },
};

static const struct module_setting network[] = {
#define COMMON(...)
#define SQL(...)
#define NETWORK(...) { __VA_ARGS__ },
#include "lib/table/client_settings.def"
#undef COMMON
#undef NETWORK
#undef SQL
	{ NULL, MODULE_TEXT, NULL, 0, 0, NULL },
};

static const struct module_setting sql[] = {
#define COMMON(...)
#define NETWORK(...)
#define SQL(...) { __VA_ARGS__ },
#include "lib/table/client_settings.def"
#undef COMMON
#undef NETWORK
#undef SQL
	{ NULL, MODULE_TEXT, NULL, 0, 0, NULL },
};

static const struct module_setting none[] = {
	{ NULL, MODULE_TEXT, NULL, 0, 0, NULL },
};

static void
lists_of(const struct table_module *m, const struct module_setting *lists[5])
{
	lists[0] = m->settings != NULL ? m->settings : none;
	lists[1] = common;
	lists[2] = m->hosts != NULL ? network : none;
	lists[3] = m->sql ? sql : none;
	lists[4] = NULL;
}

static const char *
text(const struct client_config *c, const char *name)
{
	return table_settings_text(c->settings, name);
}

/* As before there was "query". */
static char *
sql_query(struct client_config *c, const char *where)
{
	const char *function = text(c, "select_function");

	if (*text(c, "query") != '\0')
		return mem_text(text(c, "query"));
	if (*function != '\0')
		return mem_printf("SELECT %s('%%s')", function);
	if (*text(c, "table") == '\0' || *text(c, "select_field") == '\0' ||
	    *text(c, "where_field") == '\0')
		buf_printf(&c->told.errors,
		    "%s: query is missing (or table, select_field and "
		    "where_field)\n",
		    where);
	return mem_printf("SELECT %s FROM %s WHERE %s='%%s' %s",
	    text(c, "select_field"), text(c, "table"), text(c, "where_field"),
	    text(c, "additional_conditions"));
}

static void
check_format(struct client_config *c, const char *where, const char *name,
    const char *format)
{
	struct buf error = BUF_INIT(256);

	if (!key_format_valid(format, &error))
		buf_printf(&c->told.errors, "%s: %s: %s\n", where, name,
		    buf_text(&error));
	buf_fini(&error);
}

static void
open_domain(struct client_config *c, const char *where)
{
	const char *list = text(c, "domain");
	struct buf error = BUF_INIT(1024);

	if (*list == '\0')
		return;
	c->domain = match_list_open(list, MATCH_TEXT, &error);
	if (c->domain == NULL)
		buf_printf(&c->told.errors, "%s: domain: %s\n", where,
		    buf_text(&error));
	buf_fini(&error);
}

static void
take_query(struct client_config *c, const char *where)
{
	const struct table_module *m = c->module;

	c->query = m->sql ? sql_query(c, where) : mem_text(text(c, m->query));
	c->base = m->base != NULL ? text(c, m->base) : NULL;
	c->result_format = text(c, "result_format");
	if (table_settings_has(c->settings, "result_filter") &&
	    table_settings_given(c->settings, "result_filter") &&
	    !table_settings_given(c->settings, "result_format"))
		c->result_format = text(c, "result_filter");
	check_format(c, where, m->sql ? "query" : m->query, c->query);
	check_format(c, where, "result_format", c->result_format);
	if (c->base != NULL)
		check_format(c, where, m->base, c->base);
}

/* For a module that looks at its settings before there is a question. */
struct checking {
	struct module_call call;
	struct client_config *config;
	const char *where;
};

static const struct checking *
checking_of(const struct module_call *call)
{
	return (const struct checking *)(const void *)call;
}

static const char *
checked_text(const struct module_call *call, const char *name)
{
	return text(checking_of(call)->config, name);
}

static int64_t
checked_number(const struct module_call *call, const char *name)
{
	return table_settings_number(checking_of(call)->config->settings, name);
}

static void complain(struct module_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct module_call *call, const char *format, ...)
{
	const struct checking *k = checking_of(call);
	char line[CLIENT_ERROR_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	buf_printf(&k->config->told.errors, "%s: %s\n", k->where, line);
}

static void
finish(struct client_config *c, const char *where)
{
	const struct table_module *m = c->module;
	struct checking k = { .call = { .setting = checked_text,
				  .number = checked_number,
				  .fail = complain,
				  .debug = complain },
		.config = c,
		.where = where };

	take_query(c, where);
	open_domain(c, where);
	server_set_init(&c->servers,
	    span_of(m->hosts != NULL ? text(c, m->hosts) : ""), "localhost");
	c->expansion_limit =
	    table_settings_number(c->settings, "expansion_limit");
	c->timeout_ms = table_settings_number(c->settings, "timeout") * 1000;
	c->idle_ms = INT64_MAX;
	if (m->hosts != NULL) {
		c->idle_ms =
		    table_settings_number(c->settings, "idle_interval") * 1000;
		c->retry_ms =
		    table_settings_number(c->settings, "retry_interval") * 1000;
	}
	if (m->check != NULL)
		(void)m->check(&k.call);
}

static struct client_config *
new_config(const struct client_source *s)
{
	struct client_config *c = mem_new(sizeof(*c));

	c->module = s->module;
	c->name = s->name;
	settings_told_init(&c->told);
	return c;
}

struct client_config *
client_config_parse(const struct client_source *s, const char *path,
    struct span content)
{
	struct client_config *c = new_config(s);
	const struct module_setting *lists[5];

	lists_of(s->module, lists);
	c->settings = table_settings_parse(path, content, lists, &c->told);
	finish(c, path);
	return c;
}

/*
 * PREFIX_name in main.cf that this type does not know. Never more than a
 * warning: whose it is can only be guessed.
 */
static void
complain_unknown(void *with, const char *name)
{
	struct client_config *c = with;

	if (!table_settings_has(c->settings, name))
		buf_printf(&c->told.warnings,
		    "main.cf: %s has no setting \"%s\"\n", c->name, name);
}

struct client_config *
client_config_gather(const struct client_source *s, const char *prefix)
{
	struct client_config *c = new_config(s);
	const struct module_setting *lists[5];

	lists_of(s->module, lists);
	c->settings = table_settings_gather(prefix, main_setting_find, NULL,
	    lists, &c->told);
	main_setting_each(prefix, complain_unknown, c);
	finish(c, prefix);
	return c;
}

void
client_config_hang_up(struct client_config *c, struct server *server)
{
	if (server->connection != NULL)
		c->module->close(server->connection);
	server->connection = NULL;
}

void
client_config_free(struct client_config **cp)
{
	struct client_config *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->servers.count; i++)
		client_config_hang_up(c, &c->servers.servers[i]);
	server_set_fini(&c->servers);
	match_list_free(&c->domain);
	table_settings_free(&c->settings);
	settings_told_fini(&c->told);
	free(c->query);
	free(c);
}

enum table_result
client_domain_concerns(struct match_list *domain, struct span key,
    struct buf *why)
{
	size_t at = span_rfind(key, '@');
	enum table_result r;

	if (domain == NULL)
		return TABLE_FOUND;
	if (at == 0 || at + 1 >= key.n)
		return TABLE_NONE;
	r = match_list_match(domain, span_skip(key, at + 1), why);
	if (r == TABLE_FOUND)
		buf_reset(why);
	return r;
}

enum table_result
client_config_concerns(struct client_config *c, struct span key,
    struct buf *why)
{
	return client_domain_concerns(c->domain, key, why);
}
