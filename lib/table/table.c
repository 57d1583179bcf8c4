/* SPDX-License-Identifier: ISC */
#include "lib/table/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unicase.h>
#include <unistr.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/conf/conf.h"
#include "lib/log/log.h"
#include "lib/table/lines.h"
#include "lib/table/table_client.h"
#include "lib/table/table_settings.h"
#include "lib/table/type.h"

/*
 * hash: and its like were databases of libraries that come and go. They are
 * names for our constant database with the text source as the truth.
 */
static const struct {
	const char *name;
	const struct table_ops *ops;
} types[] = {
#define ABSENT(...)
#define TYPE(name, ops) { name, ops },
#include "lib/table/types.def"
#undef ABSENT
#undef TYPE
};

/* Types that are not to be had, and what to do about it. */
static const struct {
	const char *name;
	const char *instead;
} absent[] = {
#define TYPE(...)
#define ABSENT(name, instead) { name, instead },
#include "lib/table/types.def"
#undef ABSENT
#undef TYPE
};

enum { NESTING_MAX = 16, SHOWN_MAX = 100 };

/* Process lifetime: lists that name the same table share it. */
static struct table *open_tables;
static unsigned int nesting;
static table_ask *ask_elsewhere;
static bool servers; /* one of them speaks to a server */
static bool utf8 = true;

void
table_utf8(bool on)
{
	utf8 = on;
}

static const struct table_ops *
find_type(struct span name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_is(name, types[i].name))
			return types[i].ops;
	return NULL;
}

bool
table_type_known(struct span name)
{
	return find_type(name) != NULL || span_is(name, "proxy");
}

void
table_types(void (*visit)(void *with, const char *name), void *with)
{
	bool proxy = false; /* in its place in the alphabet */

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!proxy && strcmp(types[i].name, "proxy") > 0) {
			visit(with, "proxy");
			proxy = true;
		}
		/* Postfix has debug:, and does not list it */
		if (types[i].ops != &table_debug_ops &&
		    (types[i].ops != &table_client_ops ||
			table_client_installed(types[i].name)))
			visit(with, types[i].name);
	}
}

bool
table_type_remote(struct span name)
{
	const struct table_ops *ops = find_type(name);

	return ops != NULL && ops->server;
}

void
table_ask_elsewhere(table_ask *ask)
{
	ask_elsewhere = ask;
}

void
table_speaks_to_servers(void)
{
	servers = true;
}

const char *
table_promises(void)
{
	return servers ? "net-connect dns blocking" : "";
}

static struct table *
find_open(struct span spec, unsigned int flags)
{
	struct table *t = open_tables;

	while (t != NULL && (t->flags != flags || !span_is(spec, t->name)))
		t = t->next;
	return t;
}

static bool
say_instead(struct span type, struct buf *error)
{
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		if (span_is(type, absent[i].name)) {
			buf_printf(error, " (%s)", absent[i].instead);
			return true;
		}
	return false;
}

/* The nearest of those there are; one slip in four letters, not more. */
static void
say_nearest(struct span type, struct buf *error)
{
	const char *best = NULL;
	size_t least = type.n < 6 ? 2 : 3;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t d = conf_name_distance(type, types[i].name);

		if (d <= least && (best == NULL || d < least)) {
			least = d;
			best = types[i].name;
		}
	}
	if (best != NULL)
		buf_printf(error, "; did you mean \"%s\"?", best);
}

static struct table *
open_new(struct span spec, unsigned int flags, struct buf *error)
{
	struct span type = span_take(spec, span_find(spec, ':'));
	const struct table_ops *ops = find_type(type);
	struct table *t;
	bool whole_keys;

	if (type.n + 1 >= spec.n || type.n == 0) {
		buf_printf(error,
		    "open dictionary: expecting \"type:name\" form instead of "
		    "\"%.*s\"",
		    SPAN_ARG(spec));
		return NULL;
	}
	if (ops == NULL) {
		buf_printf(error, "unsupported dictionary type: %.*s",
		    SPAN_ARG(type));
		if (!say_instead(type, error))
			say_nearest(type, error);
		return NULL;
	}
	if (ops->unproven && (flags & TABLE_NO_SUBSTITUTION)) {
		buf_printf(error,
		    "%.*s map is not allowed for security sensitive data",
		    SPAN_ARG(spec));
		return NULL;
	}
	whole_keys = !ops->partial;
	if (ops->server && ask_elsewhere != NULL)
		ops = &table_remote_ops;
	t = mem_new(sizeof(*t));
	t->ops = ops;
	t->whole_keys = whole_keys;
	t->ask = ask_elsewhere;
	t->name = mem_span_text(spec);
	t->type = mem_span_text(type);
	t->flags = flags;
	t->references = 1;
	buf_init(&t->key, (size_t)TABLE_KEY_MAX * 4);
	if (!ops->open(t, span_skip(spec, type.n + 1), error)) {
		free(t->name);
		free(t->type);
		free(t);
		return NULL;
	}
	servers |= ops->server;
	t->next = open_tables;
	open_tables = t;
	return t;
}

struct table *
table_open_flags(struct span spec, unsigned int flags, struct buf *error)
{
	struct table *t;

	spec = span_trim(spec);
	if (!utf8)
		flags |= TABLE_ASCII;
	/* Every table is opened by a program that may: nothing to pass on. */
	while (span_starts(spec, "proxy:"))
		spec = span_skip(spec, sizeof("proxy:") - 1);
	t = find_open(spec, flags);
	if (t != NULL) {
		t->references++;
		return t;
	}
	if (nesting >= NESTING_MAX) {
		buf_add_text(error, "tables are nested too deeply");
		return NULL;
	}
	nesting++;
	t = open_new(spec, flags, error);
	nesting--;
	return t;
}

struct table *
table_open(struct span spec, struct buf *error)
{
	return table_open_flags(spec, 0, error);
}

void
table_free(struct table **tp)
{
	struct table *t = *tp;
	struct table **at = &open_tables;

	*tp = NULL;
	if (t == NULL || --t->references > 0)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->ops->close(t);
	buf_fini(&t->key);
	free(t->name);
	free(t->type);
	free(t);
}

const char *
table_name(const struct table *t)
{
	return t->name;
}

bool
table_takes_partial(const struct table *t)
{
	return t->ops->partial && !t->whole_keys;
}

uid_t
table_owner(const struct table *t)
{
	const char *path = strchr(t->name, ':');
	struct stat st;

	if (t->ops->owner != NULL)
		return t->ops->owner(t);
	if (path == NULL || path[1] != '/' || stat(path + 1, &st) < 0)
		return 0;
	return st.st_uid;
}

bool
table_server_down(const struct table *t)
{
	return t->down;
}

static bool
fold_unicode(struct span key, struct buf *out)
{
	size_t n = 0;
	uint8_t *folded;

	if (u8_check((const uint8_t *)key.p, key.n) != NULL)
		return false;
	folded =
	    u8_casefold((const uint8_t *)key.p, key.n, NULL, NULL, NULL, &n);
	if (folded == NULL)
		return false;
	buf_add(out, folded, n);
	free(folded);
	return true;
}

struct span
table_fold(struct span key, unsigned int flags, struct buf *out)
{
	char *to;

	if (flags & TABLE_KEEP_CASE)
		return key;
	buf_reset(out);
	if (!(flags & TABLE_ASCII) && !span_is_ascii(key) &&
	    fold_unicode(key, out))
		return buf_span(out);
	to = buf_reserve(out, key.n);
	if (to == NULL)
		return key;
	for (size_t i = 0; i < key.n; i++)
		to[i] = key.p[i] >= 'A' && key.p[i] <= 'Z' ?
		    (char)(key.p[i] + ('a' - 'A')) :
		    key.p[i];
	buf_added(out, key.n);
	return buf_span(out);
}

bool
table_is_text(const struct table *t, struct span text)
{
	return (t->flags & TABLE_ASCII) || span_is_ascii(text) ||
	    u8_check((const uint8_t *)text.p, text.n) == NULL;
}

static void
complain_key(const struct table *t, struct span key)
{
	char room[SHOWN_MAX];

	key = lines_shown(key, room, sizeof(room));
	log_warning("%s: non-UTF-8 key \"%.*s\": malformed UTF-8 or invalid "
		    "codepoint",
	    t->name, SPAN_ARG(key));
}

/* Where nobody expects bytes of any kind, a table does not hand them out. */
static enum table_result
check_value(const struct table *t, struct span key, struct buf *value)
{
	if (value->overflow) {
		buf_reset(value);
		buf_printf(value, "table %s: value is too long", t->name);
		return TABLE_BROKEN;
	}
	if (!table_is_text(t, buf_span(value))) {
		buf_reset(value);
		buf_printf(value, "%s: key \"%.*s\": non-UTF-8 value", t->name,
		    SPAN_ARG(key));
		return TABLE_BROKEN;
	}
	return TABLE_FOUND;
}

enum table_result
table_lookup(struct table *t, struct span key, struct buf *value)
{
	enum table_result r;
	struct span asked = key;

	buf_reset(value);
	t->down = false;
	if ((key.n == 0 && !(t->flags & TABLE_EMPTY_KEYS)) ||
	    (key.n > TABLE_KEY_MAX && t->ops->folds))
		return TABLE_NONE;
	if (!table_is_text(t, key)) {
		complain_key(t, key);
		return TABLE_NONE;
	}
	if (t->ops->folds)
		key = table_fold(key, t->flags, &t->key);
	r = t->ops->lookup(t, key, value);
	return r == TABLE_FOUND ? check_value(t, asked, value) : r;
}

enum table_result
table_concerns(struct table *t, struct span key, struct buf *why)
{
	buf_reset(why);
	return t->ops->concerns != NULL ? t->ops->concerns(t, key, why) :
					  TABLE_FOUND;
}

enum table_result
table_try(struct table *t, struct buf *why)
{
	enum table_result r;

	if (t->ops->try_out == NULL) {
		r = table_lookup(t, SPAN("posthaste-check@check.invalid"), why);
		return r == TABLE_FOUND ? TABLE_NONE : r;
	}
	buf_reset(why);
	return t->ops->try_out(t, why);
}

enum table_result
table_check(struct table *t, struct settings_told *told)
{
	settings_told_reset(told);
	return t->ops->check != NULL ? t->ops->check(t, told) : TABLE_NONE;
}
