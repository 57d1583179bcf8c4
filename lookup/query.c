/* SPDX-License-Identifier: ISC */
#include "lookup/query.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/words.h"
#include "lookup/service_settings.h"

struct named {
	char *spec; /* without "proxy:" */
	struct table *table;
};

#define CLASSES "smtpd_restriction_classes"

struct query_tables {
	const char *share; /* whose settings count */
	enum query_which which;
	struct named *all;
	size_t count;
};

enum { AT_ONCE = 64, DEPTH_MAX = 8 };

static struct span
plain(struct span spec)
{
	spec = span_trim(spec);
	while (span_starts(spec, "proxy:"))
		spec = span_skip(spec, sizeof("proxy:") - 1);
	return spec;
}

static struct table *
find(const struct query_tables *q, struct span spec)
{
	spec = plain(spec);
	for (size_t i = 0; i < q->count; i++)
		if (span_is(spec, q->all[i].spec))
			return q->all[i].table;
	return NULL;
}

static bool
is_wanted(const struct query_tables *q, struct span spec)
{
	struct span type = span_take(spec, span_find(spec, ':'));

	return q->which == QUERY_ALL || table_type_remote(type);
}

static void
add(struct query_tables *q, struct span spec)
{
	struct buf error = BUF_INIT(1024);
	struct table *t;

	if (!is_wanted(q, plain(spec)) || find(q, spec) != NULL)
		return;
	t = table_open(spec, &error);
	if (t == NULL) {
		/* many a text only looks like a table's name */
		log_debug("%.*s: %s", SPAN_ARG(spec), buf_text(&error));
	} else {
		q->all = mem_resize(q->all, (q->count + 1) * sizeof(*q->all));
		q->all[q->count++] =
		    (struct named){ mem_span_text(plain(spec)), t };
	}
	buf_fini(&error);
}

static bool
looks_like_table(struct span word)
{
	size_t colon = span_find(word, ':');

	return colon > 0 && colon + 1 < word.n &&
	    table_type_known(span_take(word, colon));
}

static void scan(struct query_tables *q, struct span value, int depth);

/* What is in unionmap:{...} and debug: may be asked for by itself. */
static void
add_with_parts(struct query_tables *q, struct span spec, int depth)
{
	struct span inner;

	add(q, spec);
	spec = plain(spec);
	if (span_starts(spec, "debug:") && depth < DEPTH_MAX)
		add_with_parts(q, span_skip(spec, sizeof("debug:") - 1),
		    depth + 1);
	if ((span_starts(spec, "unionmap:") || span_starts(spec, "pipemap:")) &&
	    words_unbrace(span_skip(spec, span_find(spec, ':') + 1), &inner))
		scan(q, inner, depth + 1);
}

/* Every "type:name" in a value, also within { } and behind a "!". */
static void
scan(struct query_tables *q, struct span value, int depth)
{
	struct span word;
	struct span inner;

	while (depth < DEPTH_MAX && words_next(&value, &word)) {
		while (word.n > 0 && word.p[0] == '!')
			word = span_skip(word, 1);
		if (words_unbrace(word, &inner))
			scan(q, inner, depth + 1);
		else if (looks_like_table(word))
			add_with_parts(q, word, depth);
	}
}

static void
scan_setting(struct query_tables *q, struct conf *c, const char *name)
{
	const char *value = conf_value(c, name);

	if (value != NULL && strchr(value, ':') != NULL)
		scan(q, span_of(value), 0);
}

static void
scan_settings(struct query_tables *q, struct conf *c)
{
	for (size_t g = 0; param_groups[g] != NULL; g++)
		for (size_t i = 0; i < param_groups[g]->count; i++) {
			const char *name = param_groups[g]->params[i].name;

			if (conf_shares(q->share, name))
				scan_setting(q, c, name);
		}
}

/* Restriction classes have names of the administrator's own. */
static void
scan_classes(struct query_tables *q, struct conf *c, const char *list)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item)) {
		char *name = mem_span_text(item);

		scan_setting(q, c, name);
		free(name);
	}
}

static bool
lists(const char *list, struct span name)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item))
		if (span_equal(item, name))
			return true;
	return false;
}

/* Does that -o set something whose tables we open? */
static bool
shares_override(const struct query_tables *q, struct service_settings *s,
    struct span name)
{
	char *own = mem_span_text(name);
	bool shares = conf_shares(q->share, own);

	free(own);
	if (shares || !conf_shares(q->share, CLASSES))
		return shares;
	return lists(service_setting(s, CLASSES), name);
}

static void
scan_override(struct query_tables *q, struct service_settings *s,
    const char *text)
{
	struct span name = span_of(text);
	size_t equal = span_find(name, '=');

	name = span_trim(span_take(name, equal));
	if (text[equal] != '=' || !shares_override(q, s, name))
		return;
	text = service_settings_expand(s, text + equal + 1);
	if (span_is(name, CLASSES))
		scan_classes(q, s->conf, text);
	else
		scan(q, span_of(text), 0);
}

/* What main.cf or the default says, as it is with the service's -o. */
static void
scan_as_service(struct query_tables *q, struct service_settings *s,
    const char *name)
{
	const char *value = service_setting_if_other(s, name);

	if (value != NULL)
		scan(q, span_of(value), 0);
}

/* "$mine" in a setting of main.cf is what this service's -o mine= says. */
static void
scan_settings_as_service(struct query_tables *q, struct service_settings *s)
{
	struct span classes = { "", 0 }, item;

	for (size_t g = 0; param_groups[g] != NULL; g++)
		for (size_t i = 0; i < param_groups[g]->count; i++) {
			const struct param *p = &param_groups[g]->params[i];

			if (conf_shares(q->share, p->name))
				scan_as_service(q, s, p->name);
		}
	if (conf_shares(q->share, CLASSES))
		classes = span_of(conf_value(s->conf, CLASSES));
	while (conf_list_next(&classes, &item)) {
		char *name = mem_span_text(item);

		scan_as_service(q, s, name);
		free(name);
	}
}

static void
scan_overrides(struct query_tables *q, struct conf *c, char **overrides)
{
	struct service_settings s = { c, overrides, arena_new(), 0 };

	for (char **o = overrides; o != NULL && *o != NULL; o++)
		scan_override(q, &s, *o);
	if (overrides != NULL && *overrides != NULL)
		scan_settings_as_service(q, &s);
	arena_free(&s.arena);
}

static void
scan_all(struct query_tables *q, struct conf *c,
    const struct master_cf *services)
{
	scan_settings(q, c);
	if (conf_shares(q->share, CLASSES))
		scan_classes(q, c, conf_value(c, CLASSES));
	for (size_t i = 0; services != NULL && i < services->count; i++)
		scan_overrides(q, c, services->entries[i].overrides);
}

/*
 * smtpd asks some only when it is at its limit, others only when it is not;
 * and one service's -o stress= is not for the others.
 */
static void
scan_both(struct query_tables *q, struct conf *c,
    const struct master_cf *services)
{
	static const char *const both[] = { "stress=yes", "stress=" };
	const char *raw = conf_raw(c, "stress");
	char *before = mem_printf("stress=%s", raw != NULL ? raw : "");
	struct buf error = BUF_INIT(1024);

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
		if (conf_override(c, both[i], &error))
			scan_all(q, c, services);
	(void)conf_override(c, before, &error);
	buf_fini(&error);
	free(before);
}

struct query_tables *
query_tables_open(struct conf *c, const char *share,
    const struct master_cf *services, enum query_which which)
{
	struct query_tables *q = mem_new(sizeof(*q));

	q->which = which;
	q->share = share;
	scan_all(q, c, services);
	if (conf_shares(share, "stress"))
		scan_both(q, c, services);
	return q;
}

size_t
query_tables_count(const struct query_tables *q)
{
	return q->count;
}

bool
query_tables_known(const struct query_tables *q, const char *tables)
{
	struct span rest = span_of(tables);
	struct span spec;

	while (words_next(&rest, &spec))
		if (find(q, spec) == NULL)
			return false;
	return true;
}

static enum table_result
refused(struct span spec, struct buf *value)
{
	buf_reset(value);
	buf_printf(value, "table %.*s is in no setting that is asked for here",
	    SPAN_ARG(spec));
	return TABLE_BROKEN;
}

enum table_result
query_tables_find(struct query_tables *q, const char *tables,
    const struct span *keys, size_t count, size_t *index, struct buf *value)
{
	struct table *list[AT_ONCE];
	size_t tables_count = 0;
	struct span rest = span_of(tables);
	struct span spec;

	while (words_next(&rest, &spec)) {
		struct table *t = find(q, spec);

		if (t == NULL || tables_count == AT_ONCE)
			return refused(spec, value);
		list[tables_count++] = t;
	}
	for (size_t k = 0; k < count; k++) {
		for (size_t i = 0; i < tables_count; i++) {
			enum table_result r;

			if (k > 0 && !table_takes_partial(list[i]))
				continue;
			r = table_lookup(list[i], keys[k], value);
			if (r != TABLE_NONE) {
				*index = k;
				return r;
			}
		}
	}
	buf_reset(value);
	return TABLE_NONE;
}

bool
query_tables_server_down(const struct query_tables *q, const char *table)
{
	const struct table *t = find(q, span_of(table));

	return t != NULL && table_server_down(t);
}

enum table_result
query_tables_concern(struct query_tables *q, const char *table, struct span key,
    struct buf *why)
{
	struct table *t = find(q, span_of(table));

	return t != NULL ? table_concerns(t, key, why) :
			   refused(span_of(table), why);
}
