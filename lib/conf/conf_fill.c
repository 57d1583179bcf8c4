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

	if (error == NULL)
		ok = conf_read_value(p, text, into, &wrong);
	/* a default is spoilt by a setting, which was complained of */
	if (!ok && (errors->n == 0 || conf_raw(c, p->name) != NULL)) {
		buf_printf(errors, "%s: %s: ", conf_origin(c, p->name),
		    p->name);
		if (error != NULL)
			buf_printf(errors, "%s\n", error);
		else
			buf_printf(errors, "\"%.100s\" %s\n", text,
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

bool
conf_fill_one(struct conf *c, const char *name, void *into, struct buf *errors)
{
	const struct param *p = param_find(span_of(name));

	ensure(p != NULL);
	return fill_one(c, p, into, errors);
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
