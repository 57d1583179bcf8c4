/* SPDX-License-Identifier: ISC */
#include "lookup/service_settings.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

/* The last -o counts. */
static const char *
overriding(const struct service_settings *s, struct span name)
{
	const char *found = NULL;

	for (char **o = s->overrides; *o != NULL; o++) {
		struct span text = span_of(*o);
		size_t equal = span_find(text, '=');

		if (equal < text.n &&
		    span_equal(span_trim(span_take(text, equal)), name))
			found = *o + equal + 1;
	}
	return found;
}

static const char *
if_it_refers(struct service_settings *s, const char *raw)
{
	return raw != NULL && strchr(raw, '$') != NULL ?
	    service_settings_expand(s, raw) :
	    NULL;
}

/* Of main.cf, where it may in its turn refer to what a -o sets. */
static const char *
from_main(struct service_settings *s, struct span name)
{
	char *own = mem_span_text(name);
	const char *raw = conf_value_if_set(s->conf, own) != NULL ?
	    conf_raw(s->conf, own) :
	    NULL;

	free(own);
	return if_it_refers(s, raw);
}

static const char *
resolve(void *with, struct span name)
{
	struct service_settings *s = with;
	const char *own = overriding(s, name);

	return own != NULL ? service_settings_expand(s, own) :
			     from_main(s, name);
}

const char *
service_settings_expand(struct service_settings *s, const char *text)
{
	struct buf value = BUF_INIT(1 << 16), error = BUF_INIT(1024);
	const char *result = "";

	s->depth++;
	if (s->depth < DEPTH_MAX &&
	    conf_expand_with(s->conf, text, resolve, s, &value, &error))
		result = arena_text(s->arena, buf_text(&value));
	s->depth--;
	buf_fini(&value);
	buf_fini(&error);
	return result;
}

const char *
service_setting_if_other(struct service_settings *s, const char *name)
{
	const struct param *p = param_find(span_of(name));
	const char *value = resolve(s, span_of(name));
	const char *usual;

	if (value == NULL && p != NULL && conf_raw(s->conf, name) == NULL)
		value = if_it_refers(s, p->fallback);
	usual = value != NULL ? conf_value(s->conf, name) : NULL;
	return usual != NULL && strcmp(value, usual) == 0 ? NULL : value;
}

const char *
service_setting(struct service_settings *s, const char *name)
{
	const char *value = service_setting_if_other(s, name);

	if (value == NULL)
		value = conf_value(s->conf, name);
	return value != NULL ? value : "";
}
