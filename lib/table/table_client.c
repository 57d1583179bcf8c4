/* SPDX-License-Identifier: ISC */
/*
 * SECURITY. Keys are made by strangers: every byte of one goes through the
 * module's quoting, which is the client library's own. Settings hold
 * passwords: the file is read with the rights the program starts with, and
 * none of its values is logged. Who serves the table can make the answer
 * anything; limits are ours.
 */
#include "lib/table/table_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/client_config.h"
#include "lib/table/key_format.h"
#include "lib/table/loaded.h"
#include "lib/table/module_load.h"
#include "lib/table/type.h"

enum { QUERY_MAX = 1 << 18, ERROR_MAX = 1024, TRIES = 2 };

struct client {
	struct client_source source; /* what a configuration is made from */
	struct loaded file;
	struct client_config *gathered; /* of main.cf; NULL: of the file */
};

/* One question under way. */
struct asking {
	struct module_call call;
	struct client_config *config;
	struct span key;
	struct buf *value;
	int64_t results;
	int64_t deadline;
	bool too_many;
	char error[ERROR_MAX];
};

static struct asking *
asking_of(const struct module_call *c)
{
	/* the call is the first thing in it */
	return (struct asking *)(uintptr_t)c;
}

static const char *
setting(const struct module_call *c, const char *name)
{
	return table_settings_text(asking_of(c)->config->settings, name);
}

static int64_t
number(const struct module_call *c, const char *name)
{
	return table_settings_number(asking_of(c)->config->settings, name);
}

static int
left_ms(const struct module_call *c)
{
	int64_t left = asking_of(c)->deadline - clock_ms();

	return left < 1 ? 1 : (int)left;
}

static bool
value(struct module_call *c, const char *text, size_t n, bool with_format)
{
	struct asking *a = asking_of(c);
	const struct client_config *config = a->config;
	size_t before = a->value->n;

	if (before > 0)
		buf_add_char(a->value, ',');
	if (key_format_expand(with_format ? config->result_format : "%s",
		(struct span){ text, n }, &a->key, NULL, NULL,
		a->value) == KEY_UNFIT) {
		a->value->n = before;
		return true;
	}
	a->results++;
	a->too_many =
	    config->expansion_limit > 0 && a->results > config->expansion_limit;
	return !a->too_many && !a->value->overflow;
}

static void
fail(struct module_call *c, const char *format, ...)
{
	struct asking *a = asking_of(c);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(a->error, sizeof(a->error), format, arguments);
	va_end(arguments);
	/* one line of the log */
	for (char *p = a->error; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = p[1] == '\0' ? '\0' : ' ';
}

static void
debug(struct module_call *c, const char *format, ...)
{
	struct buf text = BUF_INIT(ERROR_MAX);
	va_list arguments;
	char *to = buf_reserve(&text, ERROR_MAX - 1);

	(void)c;
	va_start(arguments, format);
	vsnprintf(to, ERROR_MAX - 1, format, arguments);
	va_end(arguments);
	log_debug("%s", to);
	buf_fini(&text);
}

static struct asking
begin(struct client_config *config, struct span key, struct buf *into)
{
	return (struct asking){
		.call = { setting, number, left_ms, value, fail, debug },
		.config = config,
		.key = key,
		.value = into,
		.deadline = clock_ms() + config->timeout_ms,
	};
}

struct quoting {
	const struct table_module *module;
	void *connection;
	enum module_place place;
};

static size_t
quote(void *with, char *to, size_t room, struct span from)
{
	const struct quoting *q = with;

	return q->module->quote(q->connection, q->place, to, room, from.p,
	    from.n);
}

/*
 * MODULE_OK with a->value as it was: the key is none that could be there. What
 * cannot be put does not harm the connection.
 */
static enum module_result
put_question(struct asking *a, struct server *server)
{
	const struct client_config *config = a->config;
	struct quoting q = { config->module, server->connection, MODULE_QUERY };
	struct buf query = BUF_INIT(QUERY_MAX), base = BUF_INIT(QUERY_MAX);
	enum key_format_result r;
	enum module_result result = MODULE_OK;

	r = key_format_expand(config->query, a->key, NULL,
	    config->module->quote ? quote : NULL, &q, &query);
	q.place = MODULE_BASE;
	if (r == KEY_FORMATTED && config->base != NULL &&
	    config->base[0] != '\0')
		r = key_format_expand(config->base, a->key, NULL, quote, &q,
		    &base);
	if (r == KEY_LONG) {
		fail(&a->call, "the question is too long");
		result = MODULE_TOO_MUCH;
	} else if (r == KEY_FORMATTED) {
		struct module_question question = { buf_text(&query), query.n,
			buf_text(&base) };

		result = config->module->ask(&a->call, server->connection,
		    &question);
		if (result == MODULE_DOWN || result == MODULE_TOO_MUCH)
			client_config_hang_up(a->config, server);
	}
	buf_fini(&query);
	buf_fini(&base);
	return result;
}

/* A URI may hold a password, which is for nobody's eyes. */
static void
say_where(struct asking *a, const struct server *server)
{
	struct span name = span_of(server->name);
	size_t at = span_rfind(name, '@');
	char why[ERROR_MAX];

	if (at < name.n)
		name = span_skip(name, at + 1);
	name = span_take(name, span_find(name, '?'));
	snprintf(why, sizeof(why), "%s", a->error);
	snprintf(a->error, sizeof(a->error), "%.*s: %.900s",
	    (int)(name.n < 100 ? name.n : 100), name.p, why);
}

static enum module_result
connect_server(struct asking *a, struct server *server)
{
	const struct client_config *config = a->config;
	int64_t now = clock_ms(), deadline = a->deadline;
	enum module_result r;

	if (server->connection != NULL && now - server->used >= config->idle_ms)
		client_config_hang_up(a->config, server);
	if (server->connection != NULL)
		return MODULE_OK;
	/* one that swallows all leaves time for each of the others */
	if (deadline > now)
		a->deadline = now +
		    (deadline - now) /
			((int64_t)server_set_untried(&config->servers, now) +
			    1);
	r = config->module->connect(&a->call, server->name,
	    &server->connection);
	a->deadline = deadline;
	if (r != MODULE_OK)
		say_where(a, server);
	return r;
}

/*
 * Asks one server. A connection that the server has closed meanwhile, because
 * nobody asked for long, is made anew without a word.
 */
static enum module_result
ask_server(struct asking *a, struct server *server)
{
	int64_t start = clock_ms();
	enum module_result r = MODULE_DOWN;

	for (int i = 0; i < TRIES && r == MODULE_DOWN; i++) {
		bool old = server->connection != NULL;

		a->results = 0;
		buf_reset(a->value);
		r = connect_server(a, server);
		old = old && server->connection != NULL;
		if (r == MODULE_OK)
			r = put_question(a, server);
		if (!old)
			break;
	}
	server->used = clock_ms();
	if (r == MODULE_DOWN)
		server_failed(server, server->used, server->used - start,
		    a->config->retry_ms);
	else
		server->down_until = 0;
	return r;
}

static void
say_why(struct asking *a, const char *why)
{
	buf_reset(a->value);
	buf_printf(a->value, "%s: %s", a->config->name, why);
}

/* Else another server may know better. */
static bool
is_final(enum module_result r)
{
	return r == MODULE_OK || r == MODULE_TOO_MUCH;
}

static enum table_result
ask(struct client_config *config, struct span key, struct buf *into)
{
	struct asking a = begin(config, key, into);
	uint32_t noise = (uint32_t)clock_wall_us() ^ (uint32_t)getpid();
	enum module_result r = MODULE_DOWN;
	struct server *server;
	bool answered = false;

	server_set_begin(&config->servers);
	while (!is_final(r) && clock_ms() < a.deadline &&
	    (server = server_set_next(&config->servers, clock_ms(), noise)) !=
		NULL) {
		r = ask_server(&a, server);
		answered |= r != MODULE_DOWN;
	}
	config->down = !answered;
	/* also what is too long, for the caller to say so */
	if (r == MODULE_OK && !a.too_many)
		return into->n > 0 || into->overflow ? TABLE_FOUND : TABLE_NONE;
	if (r == MODULE_OK) {
		say_why(&a, "expansion limit exceeded");
		return TABLE_BROKEN;
	}
	if (a.error[0] != '\0')
		snprintf(config->last_error, sizeof(config->last_error), "%s",
		    a.error);
	say_why(&a,
	    config->last_error[0] != '\0' ? config->last_error :
					    "no server can be had");
	return r == MODULE_WRONG || r == MODULE_TOO_MUCH ? TABLE_BROKEN :
							   TABLE_AGAIN;
}

/* What the settings come to now; else the result to give. */
static enum table_result
look(struct table *t, struct client_config **config, struct buf *why)
{
	struct client *c = t->state;
	enum table_result r = TABLE_FOUND;

	*config = c->gathered;
	if (*config == NULL) {
		r = loaded_look(&c->file, why);
		*config = c->file.data;
	}
	if (r != TABLE_FOUND || (*config)->told.errors.n == 0)
		return r;
	buf_add_span(why, span_trim(buf_span(&(*config)->told.errors)));
	for (size_t i = 0; i < why->n; i++)
		if (why->p[i] == '\n')
			why->p[i] = ';';
	return TABLE_BROKEN;
}

/* FOUND: the server may have it. */
static enum table_result
look_for(struct table *t, struct span key, struct client_config **config,
    struct buf *why)
{
	enum table_result r = look(t, config, why);

	if (r != TABLE_FOUND)
		return r;
	settings_told_mention(&(*config)->told, &(*config)->mentioned);
	if (span_find(key, '\0') < key.n)
		return TABLE_NONE;
	return client_config_concerns(*config, key, why);
}

static enum table_result
concerns(struct table *t, struct span key, struct buf *why)
{
	struct client_config *config;

	return look_for(t, key, &config, why);
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *into)
{
	struct client_config *config;
	enum table_result r = look_for(t, key, &config, into);

	if (r != TABLE_FOUND)
		return r;
	r = ask(config, key, into);
	t->down = config->down;
	return r;
}

/* An address with all the parts that a % can ask for. */
static enum table_result
try_out(struct table *t, struct buf *why)
{
	struct client_config *config;
	enum table_result r = look(t, &config, why);

	if (r != TABLE_FOUND)
		return r;
	r = ask(config, SPAN("posthaste-check@9.8.7.6.5.4.3.2.invalid"), why);
	return r == TABLE_FOUND ? TABLE_NONE : r;
}

static enum table_result
check(struct table *t, struct settings_told *told)
{
	struct client_config *config;
	enum table_result r = look(t, &config, &told->errors);

	if (r != TABLE_FOUND)
		return r;
	settings_told_add(told, &config->told);
	return TABLE_NONE;
}

static void *
parse(const char *path, struct span text, void *with)
{
	return client_config_parse(with, path, text);
}

static void
release(void *data)
{
	struct client_config *config = data;

	client_config_free(&config);
}

/* What works, and its connections, is not given up for what cannot. */
static void *
renew(const char *path, struct span text, void *with, void *old)
{
	struct client_config *before = old, *now = parse(path, text, with);

	if (now->told.errors.n == 0 || before->told.errors.n > 0) {
		client_config_free(&before);
		return now;
	}
	settings_told_kept(&now->told, path);
	client_config_free(&now);
	return before;
}

static bool
open_client(struct table *t, struct span argument, struct buf *error)
{
	const struct table_module *m = module_load(t->type, error);
	struct client *c;
	char *name;

	if (m == NULL)
		return false;
	c = mem_new(sizeof(*c));
	c->source = (struct client_source){ m, t->name };
	c->file.parse = parse;
	c->file.renew = renew;
	c->file.release = release;
	c->file.with = &c->source;
	t->state = c;
	name = mem_span_text(argument);
	/* no braces: this cannot fail */
	if (name[0] == '/' || name[0] == '.')
		(void)loaded_open(&c->file, name, error);
	else
		c->gathered = client_config_gather(&c->source, name);
	free(name);
	return true;
}

static void
close_client(struct table *t)
{
	struct client *c = t->state;

	if (c->gathered != NULL)
		client_config_free(&c->gathered);
	else
		loaded_close(&c->file);
	free(c);
}

bool
table_client_installed(const char *type)
{
	return module_installed(type);
}

const struct table_ops table_client_ops = {
	.folds = true,
	.partial = true,
	.server = true,
	.open = open_client,
	.lookup = lookup,
	.try_out = try_out,
	.concerns = concerns,
	.check = check,
	.close = close_client,
};
