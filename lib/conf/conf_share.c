/* SPDX-License-Identifier: ISC */
/*
 * Which settings a program is told: those its row in programs.def names, and
 * whatever their values refer to. Rather one name too many than one too few:
 * "$name" counts wherever it stands.
 */
#include "lib/conf/conf_parts.h"

#include <ctype.h>
#include <string.h>

#define CLASSES "smtpd_restriction_classes"
/* In a row: opens tables of servers, and needs their passwords. */
#define OF_SERVERS "of-servers"

static bool
shares(const char *share, const char *group, const char *name)
{
	struct span rest = span_of(share), word;

	while (span_cut(&rest, " ", true, &word))
		if (span_is(word, "*") || span_is(word, name) ||
		    span_is(word, group))
			return true;
	return false;
}

bool
conf_shares(const char *share, const char *name)
{
	const struct param_group *group = param_group_of(span_of(name));

	return shares(share, group != NULL ? group->name : "", name);
}

static void give(struct conf *c, struct span name);

static bool
is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* All settings PREFIX_something. */
static void
give_prefixed(struct conf *c, struct span prefix)
{
	for (struct setting *s = c->first; s != NULL; s = s->next) {
		struct span name = span_of(s->name);

		if (name.n > prefix.n + 1 && name.p[prefix.n] == '_' &&
		    span_equal(span_take(name, prefix.n), prefix))
			give(c, name);
	}
}

/* What belongs to a table "ldap:people" that is no file: people_bind_pw. */
static void
give_of_tables(struct conf *c, const char *text)
{
	static const char *const types[] = { "ldap:", "mysql:", "pgsql:",
		"sqlite:", "redis:" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (const char *at = strstr(text, types[i]); at != NULL;
		     at = strstr(at + 1, types[i])) {
			const char *name = at + strlen(types[i]);
			size_t n = 0;

			while (is_name_char(name[n]))
				n++;
			if (n > 0 && name[0] != '.' && n <= CONF_NAME_MAX)
				give_prefixed(c, (struct span){ name, n });
		}
}

static void
give_references(struct conf *c, const char *text)
{
	struct span rest = span_of(text);

	if (c->share_of_servers)
		give_of_tables(c, text);
	while ((rest = span_skip(rest, span_find(rest, '$'))).n > 0) {
		size_t n = 0;

		rest = span_skip(rest, 1);
		if (rest.n > 0 && rest.p[0] == '$') {
			rest = span_skip(rest, 1);
			continue;
		}
		while (rest.n > 0 && strchr("{( \t", rest.p[0]) != NULL)
			rest = span_skip(rest, 1);
		while (n < rest.n &&
		    (isalnum((unsigned char)rest.p[n]) || rest.p[n] == '_'))
			n++;
		if (n > 0 && n <= CONF_NAME_MAX)
			give(c, span_take(rest, n));
		rest = span_skip(rest, n);
	}
}

static void
give(struct conf *c, struct span name)
{
	struct setting *s = conf_setting(c, name);
	const char *text;

	if (s->given)
		return;
	s->given = true;
	text = s->raw != NULL ? s->raw : conf_fallback(c, s->name);
	if (text != NULL)
		give_references(c, text);
}

/* Restriction classes are named without a "$". */
static void
give_classes(struct conf *c, const char *list)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item))
		give(c, item);
}

/* An -o, or an argument. */
static void
give_text(struct conf *c, const char *text)
{
	struct span name, value;
	const char *list;

	give_references(c, text);
	if (conf_split(span_of(text), &name, &value) != NULL ||
	    !span_is(name, CLASSES))
		return;
	list = conf_expand(c, arena_span(c->arena, value), NULL);
	if (list != NULL)
		give_classes(c, list);
}

void
conf_share_mark(struct conf *c, const char *share, char *const *texts)
{
	bool all = shares(share, "", "");

	c->share_of_servers = shares(share, "", OF_SERVERS);
	for (struct setting *s = c->names; s != NULL; s = s->hh.next)
		s->given = false;
	for (const struct param_group *const *g = param_groups; *g != NULL; g++)
		for (size_t i = 0; i < (*g)->count; i++)
			if (strcmp((*g)->name, "common") == 0 ||
			    shares(share, (*g)->name, (*g)->params[i].name))
				give(c, span_of((*g)->params[i].name));
	for (struct setting *s = c->first; s != NULL; s = s->next)
		if (all || conf_family_find(span_of(s->name)) != NULL)
			give(c, span_of(s->name));
	for (; texts != NULL && *texts != NULL; texts++)
		give_text(c, *texts);
	if (conf_setting(c, SPAN(CLASSES))->given)
		give_classes(c, conf_value(c, CLASSES));
}
