/* SPDX-License-Identifier: ISC */
/* What names stand for in templates and in the environment of commands. */
#include "local/local_state.h"

#include <string.h>

#include "local/environment.h"

struct names {
	struct plan *p;
	const struct person *person;
	const char *allowed; /* NULL: all characters */
};

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static const char *
raw_value(const struct names *n, struct span name)
{
	const struct plan *p = n->p;

	if (span_is(name, "user"))
		return p->user;
	if (span_is(name, "local"))
		return p->local;
	if (span_is(name, "domain"))
		return p->domain;
	if (span_is(name, "extension"))
		return or_empty(p->extension);
	if (span_is(name, "recipient"))
		return p->to->address;
	if (span_is(name, "recipient_delimiter"))
		return p->extension == NULL ?
		    "" :
		    arena_span(p->r->arena,
			span_take(span_skip(span_of(p->local),
				      strlen(p->local) - strlen(p->extension) -
					  1),
			    1));
	if (span_is(name, "home"))
		return n->person != NULL ? n->person->home : "";
	if (span_is(name, "shell"))
		return n->person != NULL ? n->person->shell : "";
	return NULL;
}

static const char *
resolve(void *with, struct span name)
{
	const struct names *n = with;
	const char *value = raw_value(n, name);

	if (value == NULL || n->allowed == NULL)
		return value;
	return environment_filter(n->p->r->arena, value, n->allowed);
}

bool
plan_expand(struct plan *p, const struct person *person, const char *template,
    const char *allowed, struct buf *out)
{
	struct names n = { .p = p, .person = person, .allowed = allowed };
	struct buf error = BUF_INIT(4096);
	bool ok = conf_expand_with(p->r->agent->service->conf, template,
	    resolve, &n, out, &error);

	buf_fini(&error);
	return ok;
}

char **
plan_environment(struct plan *p, const struct person *person)
{
	const struct local_params *own = &p->r->agent->own;
	const char *allowed = own->command_expansion_filter;
	struct arena *a = p->r->arena;
	struct environment e;
	/* of an alias it is the alias, whoever's rights the command has */
	const char *user =
	    person == p->state->default_person ? p->user : person->name;
	const struct {
		const char *name;
		const char *value;
	} of_message[] = {
		{ "USER", user },
		{ "LOGNAME", user },
		{ "LOCAL", p->local },
		{ "DOMAIN", p->domain },
		{ "EXTENSION", or_empty(p->extension) },
		{ "RECIPIENT", p->to->address },
		{ "ORIGINAL_RECIPIENT", p->to->original },
		{ "SENDER", p->sender },
	};

	environment_init(&e, a);
	environment_export(&e, own->export_environment);
	environment_put(&e, "HOME", person->home);
	environment_put(&e, "SHELL",
	    person->shell[0] != '\0' ? person->shell : "/bin/sh");
	for (size_t i = 0; i < sizeof(of_message) / sizeof(of_message[0]); i++)
		environment_put(&e, of_message[i].name,
		    environment_filter(a, of_message[i].value, allowed));
	return e.list;
}
