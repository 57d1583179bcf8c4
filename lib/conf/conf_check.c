/* SPDX-License-Identifier: ISC */
/* All settings of a main.cf, and of the -o of a service, at once. */
#include "lib/conf/conf_parts.h"

#include <stdlib.h>
#include <string.h>

void
conf_mention(struct conf *c, const char *text)
{
	struct mention *m = arena_alloc(c->arena, sizeof(*m));

	*m = (struct mention){ c->mentions, arena_text(c->arena, text) };
	c->mentions = m;
}

void
conf_service(struct conf *c, const char *name, const char *command)
{
	struct service *s = arena_alloc(c->arena, sizeof(*s));

	*s = (struct service){ c->services, arena_text(c->arena, name),
		arena_text(c->arena, command) };
	c->services = s;
}

static void
complain_unknown(const struct setting *s, struct buf *to, bool tolerated)
{
	const char *like = conf_nearest(span_of(s->name));
	const char *look = conf_look_alike(s->name);

	buf_printf(to, "%s: %s: no setting has this name", s->origin, s->name);
	if (look != NULL)
		buf_printf(to, ", which holds %s", look);
	if (s->raw != NULL &&
	    (param_find(span_of(s->raw)) != NULL ||
		compat_find(span_of(s->raw)) != NULL))
		buf_printf(to, ": did you mean \"%s = %s\"?", s->raw, s->name);
	else if (like != NULL)
		buf_printf(to, "; did you mean \"%s\"?", like);
	if (!tolerated)
		buf_add_text(to,
		    " (\"unknown_parameters = warn\" in main.cf lets such "
		    "names pass)");
	buf_add_text(to, "\n");
}

static void
complain_refused(const struct setting *s, const struct verdict_of_setting *v,
    struct buf *errors)
{
	buf_printf(errors, "%s: %s: %s", s->origin, s->name, v->reason);
	if (v->guards)
		buf_add_text(errors,
		    " (\"missing_protection = warn\" in main.cf starts "
		    "without it)");
	buf_add_text(errors, "\n");
}

static bool
check_known(struct conf *c, const struct setting *s, struct buf *errors,
    struct buf *warnings)
{
	struct verdict_of_setting v = conf_verdict(c, s->name);

	switch (v.kind) {
	case VERDICT_HONOURED:
	case VERDICT_OWN:
		return true;
	case VERDICT_MAPPED:
	case VERDICT_HARMLESS:
	case VERDICT_PLANNED:
		if (warnings != NULL && !v.idle)
			buf_printf(warnings, "%s: %s: %s\n", s->origin, s->name,
			    v.reason);
		return true;
	case VERDICT_REFUSED:
		complain_refused(s, &v, errors);
		return false;
	case VERDICT_UNKNOWN:
		if (!v.tolerated)
			complain_unknown(s, errors, false);
		else if (warnings != NULL)
			complain_unknown(s, warnings, true);
		return v.tolerated;
	}
	return false;
}

static bool
is_name_byte(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

static void
warn_of_reference(const struct setting *s, struct span name,
    struct buf *warnings)
{
	const char *like = conf_nearest(name);

	buf_printf(warnings, "%s: %s: no setting has the name \"%.*s\"",
	    s->origin, s->name, SPAN_ARG(span_take(name, 100)));
	if (name.p[0] >= '0' && name.p[0] <= '9')
		buf_add_text(warnings, ": a dollar sign is written \"$$\"");
	else if (like != NULL)
		buf_printf(warnings, "; did you mean \"%s\"?", like);
	buf_add_text(warnings, "\n");
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
		if (name.n > 0 && !conf_name_known(c, name))
			warn_of_reference(s, name, warnings);
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
		if (warnings == NULL)
			continue;
		conf_slips(s, warnings);
		check_references(c, s, warnings);
	}
	return ok;
}
