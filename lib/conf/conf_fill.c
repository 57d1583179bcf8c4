/* SPDX-License-Identifier: ISC */
#include "lib/conf/conf_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"

/* The text of one setting: expanded, or as written for templates. */
static const char *
text_of(struct conf *c, const struct param *p, const char **error)
{
	struct setting *s = conf_setting(c, span_of(p->name));

	*error = NULL;
	conf_ensure_given(s);
	if (p->type == PARAM_RAW)
		return s->raw != NULL ? s->raw : conf_fallback(c, p->name);
	conf_evaluate(c, s, 0);
	*error = s->error;
	return s->value;
}

/* A default that no value of main.cf is allowed to spoil. */
static void
fill_default(struct conf *c, const struct param *p, void *into)
{
	struct buf out = BUF_INIT(CONF_VALUE_MAX), wrong = BUF_INIT(1024);
	const char *fallback = conf_fallback(c, p->name), *error, *text = "";

	if (p->type == PARAM_RAW)
		text = fallback;
	else if (conf_expand_into(c, fallback, 0, &out, &error))
		text = arena_text(c->arena, buf_text(&out));
	/* on failure the field stays zero, or the empty text */
	if (!conf_read_value(p, text, into, &wrong) &&
	    (p->type == PARAM_TEXT || p->type == PARAM_TABLES ||
		p->type == PARAM_WORD || p->type == PARAM_RAW))
		*(const char **)into = "";
	buf_fini(&out);
	buf_fini(&wrong);
}

static bool
fill_one(struct conf *c, const struct param *p, void *into, struct buf *errors)
{
	struct buf wrong = BUF_INIT(1024);
	const char *error, *text = text_of(c, p, &error);
	bool ok = false;

	if (error != NULL) {
		buf_printf(errors, "%s: %s: %s\n", conf_origin(c, p->name),
		    p->name, error);
	} else {
		ok = conf_read_value(p, text, into, &wrong);
		if (!ok)
			buf_printf(errors, "%s: %s: \"%.100s\" %s\n",
			    conf_origin(c, p->name), p->name, text,
			    buf_text(&wrong));
	}
	if (!ok)
		fill_default(c, p, into);
	buf_fini(&wrong);
	return ok;
}

bool
conf_fill(struct conf *c, const struct param_group *group, void *into,
    struct buf *errors)
{
	bool ok = true;

	memset(into, 0, group->size);
	for (size_t i = 0; i < group->count; i++)
		if (!fill_one(c, &group->params[i],
			(char *)into + group->params[i].offset, errors))
			ok = false;
	return ok;
}

int64_t
conf_family_number(struct conf *c, const char *name, const char *suffix,
    enum param_type type, int64_t fallback)
{
	char *full = mem_printf("%s_%s", name, suffix);
	const struct param p = { .name = full,
		.type = type,
		.fallback = "",
		.min = "0",
		.max = "" };
	struct buf wrong = BUF_INIT(1024);
	const char *raw = conf_raw(c, full);
	const struct param *known = param_find(span_of(full));
	int64_t value = fallback;

	/* "local_destination_concurrency_limit" has a default of its own */
	if ((raw != NULL || known != NULL) &&
	    !conf_read_value(&p, conf_value(c, full), &value, &wrong))
		value = fallback;
	buf_fini(&wrong);
	free(full);
	return value;
}

static bool
reserved(struct span name)
{
	static const char *const names[] = { "process_id", "process_name",
		"service_name", "mail_release_date", "mail_version" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is(name, names[i]))
			return true;
	return false;
}

/* Is $name, ${name or $(name in this text? */
static bool
refers_to(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = strstr(text, name); at != NULL;
	     at = strstr(at + 1, name)) {
		const char *before = at;

		if (at[n] == '_' || (at[n] >= 'a' && at[n] <= 'z') ||
		    (at[n] >= '0' && at[n] <= '9'))
			continue;
		while (before > text &&
		    (before[-1] == ' ' || before[-1] == '{' ||
			before[-1] == '('))
			before--;
		if (before > text && before[-1] == '$')
			return true;
	}
	return false;
}

/* A name of the administrator's own, for use in other settings. */
static bool
is_used(struct conf *c, const struct setting *own)
{
	for (const struct setting *s = c->first; s != NULL; s = s->next)
		if (s != own && refers_to(s->raw, own->name))
			return true;
	for (const struct mention *m = c->mentions; m != NULL; m = m->next)
		if (refers_to(m->text, own->name))
			return true;
	return false;
}

void
conf_mention(struct conf *c, const char *text)
{
	struct mention *m = arena_alloc(c->arena, sizeof(*m));

	*m = (struct mention){ c->mentions, arena_text(c->arena, text) };
	c->mentions = m;
}

static bool
in_list(const char *list, const char *name)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item))
		if (span_is(item, name))
			return true;
	return false;
}

/*
 * Old-style table settings: with "ldap:foo" somewhere, foo_server_host and
 * the like are settings of that table.
 */
static bool
of_a_table(struct conf *c, const char *name)
{
	static const char *const types[] = { "ldap", "mysql", "pgsql", "sqlite",
		"memcache", "mongodb" };

	for (const char *end = strchr(name, '_'); end != NULL;
	     end = strchr(end + 1, '_'))
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
			char table[CONF_NAME_MAX + 16];

			snprintf(table, sizeof(table), "%s:%.*s", types[i],
			    (int)(end - name), name);
			for (struct setting *s = c->first; s != NULL;
			     s = s->next)
				if (strstr(s->raw, table) != NULL)
					return true;
		}
	return false;
}

static bool
check_known(struct conf *c, const struct setting *s, struct buf *errors,
    struct buf *warnings)
{
	struct span name = span_of(s->name);
	const struct compat *compat = compat_find(name);
	const char *like;

	if (param_find(name) != NULL || conf_family_find(name) != NULL)
		return true;
	if (compat != NULL) {
		if (warnings != NULL && compat->reason[0] != '\0')
			buf_printf(warnings, "%s: %s: %s\n", s->origin, s->name,
			    compat->reason);
		return true;
	}
	if (reserved(name)) {
		buf_printf(errors, "%s: %s: cannot be set\n", s->origin,
		    s->name);
		return false;
	}
	if (is_used(c, s) || of_a_table(c, s->name) ||
	    in_list(conf_value(c, "smtpd_restriction_classes"), s->name))
		return true;
	like = conf_nearest(name);
	buf_printf(errors, "%s: %s: no setting has this name%s%s%s\n",
	    s->origin, s->name, like ? "; did you mean \"" : "",
	    like ? like : "", like ? "\"?" : "");
	return false;
}

static bool
is_name_byte(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

static bool
is_name(struct conf *c, struct span name)
{
	char *text = mem_span_text(name);
	bool known = param_find(name) != NULL ||
	    conf_family_find(name) != NULL || compat_find(name) != NULL ||
	    reserved(name) || conf_raw(c, text) != NULL;

	free(text);
	return known;
}

/*
 * $name of nothing is empty: mostly a slip of the pen. Templates have names
 * that only their users know.
 */
static void
check_references(struct conf *c, const struct setting *s, struct buf *warnings)
{
	const struct param *p = param_find(span_of(s->name));
	const char *at = s->raw;

	if (p == NULL || p->type == PARAM_RAW)
		return;
	while ((at = strchr(at, '$')) != NULL) {
		struct span name = { 0 };

		at++;
		if (*at == '$' ||
		    ((*at == '{' || *at == '(') && !is_name_byte(at[1]))) {
			at++;
			continue;
		}
		name.p = at + (*at == '{' || *at == '(');
		while (is_name_byte(name.p[name.n]))
			name.n++;
		if (name.n > 0 && !is_name(c, name))
			buf_printf(warnings,
			    "%s: %s: no setting has the name \"%.*s\"\n",
			    s->origin, s->name,
			    (int)(name.n < 100 ? name.n : 100), name.p);
		at = name.p;
	}
}

/* A value that only the administrator's own names or families have. */
static bool
check_loose(struct conf *c, struct setting *s, struct buf *errors)
{
	const struct conf_family *family = conf_family_find(span_of(s->name));
	struct param p = { .name = s->name,
		.fallback = "",
		.min = "0",
		.max = "" };
	struct buf wrong = BUF_INIT(1024);
	int64_t number;
	bool ok = true;

	if (param_find(span_of(s->name)) != NULL || family == NULL)
		return true;
	p.type = family->type;
	conf_evaluate(c, s, 0);
	if (s->error != NULL) {
		buf_printf(errors, "%s: %s: %s\n", s->origin, s->name,
		    s->error);
		ok = false;
	} else if (p.type != PARAM_TEXT &&
	    !conf_read_value(&p, s->value, &number, &wrong)) {
		buf_printf(errors, "%s: %s: \"%.100s\" %s\n", s->origin,
		    s->name, s->value, buf_text(&wrong));
		ok = false;
	}
	buf_fini(&wrong);
	return ok;
}

bool
conf_check(struct conf *c, struct buf *errors, struct buf *warnings)
{
	bool ok = true;

	for (const struct param_group *const *g = param_groups; *g != NULL;
	     g++) {
		void *into = mem_new((*g)->size + 1);

		if (!conf_fill(c, *g, into, errors))
			ok = false;
		free(into);
	}
	for (struct setting *s = c->first; s != NULL; s = s->next) {
		if (!check_known(c, s, errors, warnings))
			ok = false;
		if (!check_loose(c, s, errors))
			ok = false;
		if (warnings != NULL)
			check_references(c, s, warnings);
	}
	return ok;
}
