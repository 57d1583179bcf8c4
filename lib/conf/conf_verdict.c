/* SPDX-License-Identifier: ISC */
/*
 * What becomes of a setting: conf/compat.def for Postfix's, and the rules by
 * which an administrator has names of his own.
 */
#include "lib/conf/conf_parts.h"

#include <stdio.h>
#include <string.h>

/* These are the programs' own. */
static bool
reserved(struct span name)
{
	static const char *const names[] = { "domain_to_ascii", "process_id",
		"process_name", "service_name", "mail_release_date",
		"mail_version" };

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
is_used(const struct conf *c, const struct setting *own)
{
	for (const struct setting *s = c->first; s != NULL; s = s->next)
		if (s != own && refers_to(s->raw, own->name))
			return true;
	for (const struct mention *m = c->mentions; m != NULL; m = m->next)
		if (refers_to(m->text, own->name))
			return true;
	return false;
}

static bool
is_class(struct conf *c, const char *name)
{
	const char *list = conf_value(c, "smtpd_restriction_classes");
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
of_a_table(const struct conf *c, const char *name)
{
	static const char *const types[] = { "ldap", "mysql", "pgsql", "sqlite",
		"redis", "mongodb" };

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

bool
conf_name_known(const struct conf *c, struct span name)
{
	char text[CONF_NAME_MAX + 1];

	if (param_find(name) != NULL || conf_family_find(name) != NULL ||
	    compat_find(name) != NULL || reserved(name))
		return true;
	if (name.n > CONF_NAME_MAX)
		return false;
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(name));
	return conf_raw(c, text) != NULL;
}

static bool
runs(const struct conf *c, const char *command)
{
	for (const struct service *s = c->services; s != NULL; s = s->next)
		if (strcmp(s->command, command) == 0)
			return true;
	return false;
}

/* Then it asks for nothing. */
static bool
as_default(struct conf *c, struct setting *s, const char *fallback)
{
	struct buf error = BUF_INIT(1024);
	const char *value = conf_evaluate(c, s, 0);
	const char *expanded = conf_expand(c, fallback, &error);
	bool same =
	    value != NULL && expanded != NULL && strcmp(value, expanded) == 0;

	buf_fini(&error);
	return same || strcmp(s->raw, fallback) == 0;
}

static bool
is_warn(struct conf *c, const char *setting)
{
	return strcmp(conf_value(c, setting), "warn") == 0;
}

/* The protection is not there: is it missed? */
static enum verdict_kind
guard(struct conf *c, const struct setting *s)
{
	bool postscreen = strncmp(s->name, "postscreen_", 11) == 0;

	if (is_warn(c, "missing_protection") ||
	    (postscreen && !runs(c, "postscreen")))
		return VERDICT_PLANNED;
	return VERDICT_REFUSED;
}

static struct verdict_of_setting
of_compat(struct conf *c, struct setting *s, const struct compat *row)
{
	struct verdict_of_setting v = { .reason = row->reason,
		.idle = as_default(c, s, row->fallback) };

	switch (row->verdict) {
	case COMPAT_HONOURED:
		v.kind = VERDICT_HONOURED;
		v.idle = false;
		break;
	case COMPAT_MAPPED:
		v.kind = VERDICT_MAPPED;
		break;
	case COMPAT_HARMLESS:
		v.kind = VERDICT_HARMLESS;
		break;
	case COMPAT_PLANNED:
		v.kind = VERDICT_PLANNED;
		break;
	case COMPAT_GUARDS:
		v.guards = true;
		v.kind = v.idle ? VERDICT_PLANNED : guard(c, s);
		break;
	case COMPAT_REFUSED:
		v.kind = v.idle ? VERDICT_HARMLESS : VERDICT_REFUSED;
		break;
	}
	return v;
}

/* NAME_time_limit is pipe's, all others belong to agents that qmgr asks. */
static bool
family_fits(const struct conf_family *family, const char *command)
{
	static const char *const agents[] = { "smtp", "lmtp", "local",
		"virtual", "pipe", "error", "discard" };

	if (strcmp(family->suffix, "time_limit") == 0)
		return strcmp(command, "pipe") == 0 ||
		    strcmp(command, "spawn") == 0;
	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		if (strcmp(command, agents[i]) == 0)
			return true;
	return false;
}

static bool
family_served(const struct conf *c, struct span name,
    const struct conf_family *family)
{
	struct span service =
	    span_take(name, name.n - strlen(family->suffix) - 1);

	for (const struct service *s = c->services; s != NULL; s = s->next)
		if (span_is(service, s->name) &&
		    family_fits(family, s->command))
			return true;
	return c->services == NULL;
}

/* As the default of all services is. */
static struct verdict_of_setting
of_family(struct conf *c, struct setting *s, const struct conf_family *family)
{
	struct verdict_of_setting v = { .kind = VERDICT_HONOURED,
		.reason = "" };
	/* behind the $ */
	const struct compat *row = compat_find(span_of(family->fallback + 1));

	if (row != NULL)
		v = of_compat(c, s, row);
	if (!family_served(c, span_of(s->name), family)) {
		v.kind = VERDICT_HARMLESS;
		v.idle = false;
		v.reason = "master.cf has no delivery service of this name";
	}
	return v;
}

/* Postfix's own master.cf has them in lines that begin as comments. */
static bool
of_submission(const char *name)
{
	static const char *const names[] = { "mua_client_restrictions",
		"mua_helo_restrictions", "mua_sender_restrictions",
		"mua_relay_restrictions", "mua_recipient_restrictions" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static struct verdict_of_setting
of_stranger(struct conf *c, const char *name)
{
	struct verdict_of_setting v = { .kind = VERDICT_UNKNOWN,
		.reason = "no setting has this name" };

	v.tolerated = is_warn(c, "unknown_parameters");
	if (of_submission(name)) {
		v.kind = VERDICT_HARMLESS;
		v.reason = "no service's -o uses this list";
	}
	return v;
}

struct verdict_of_setting
conf_verdict(struct conf *c, const char *name)
{
	struct verdict_of_setting v = { .kind = VERDICT_HONOURED,
		.reason = "" };
	struct setting *s = conf_setting(c, span_of(name));
	const struct compat *row = compat_find(span_of(name));
	const struct conf_family *family = conf_family_find(span_of(name));

	if (conf_foreign(s)) {
		v.kind = VERDICT_MAPPED;
		v.reason = "Postfix's own: this suite's is used";
	} else if (param_find(span_of(name)) != NULL) {
		v.kind = VERDICT_HONOURED;
	} else if (reserved(span_of(name))) {
		v.kind = VERDICT_REFUSED;
		v.reason = "cannot be set";
	} else if (row != NULL) {
		v = of_compat(c, s, row);
	} else if (family != NULL) {
		v = of_family(c, s, family);
	} else if (is_class(c, name)) {
		v.kind = VERDICT_OWN;
		v.reason = "a restriction class";
	} else if (of_a_table(c, name)) {
		v.kind = VERDICT_OWN;
		v.reason = "a setting of a table";
	} else if (is_used(c, s)) {
		v.kind = VERDICT_OWN;
		v.reason = "a name of your own";
	} else {
		v = of_stranger(c, name);
	}
	return v;
}
