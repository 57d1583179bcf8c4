/* SPDX-License-Identifier: ISC */
#include "local/environment.h"

#include <stdlib.h>
#include <string.h>

#include "lib/conf/conf.h"

void
environment_init(struct environment *e, struct arena *a)
{
	*e = (struct environment){ .arena = a };
	e->list = arena_alloc(a, sizeof(*e->list));
}

static size_t
find(const struct environment *e, const char *name)
{
	size_t n = strlen(name), i = 0;

	while (i < e->count &&
	    (strncmp(e->list[i], name, n) != 0 || e->list[i][n] != '='))
		i++;
	return i;
}

void
environment_put(struct environment *e, const char *name, const char *value)
{
	size_t at = find(e, name);
	char **more;

	if (at == e->count) {
		more = arena_alloc(e->arena, (e->count + 2) * sizeof(*more));
		if (e->count > 0)
			memcpy(more, e->list, e->count * sizeof(*more));
		e->list = more;
		e->count++;
	}
	e->list[at] = arena_printf(e->arena, "%s=%s", name, value);
}

void
environment_export(struct environment *e, const char *names)
{
	struct span rest = span_of(names), item;

	environment_put(e, "PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
	while (conf_list_next(&rest, &item)) {
		size_t at = span_find(item, '=');
		char *name =
		    arena_span(e->arena, span_trim(span_take(item, at)));
		const char *value = at < item.n ?
		    arena_span(e->arena, span_trim(span_skip(item, at + 1))) :
		    getenv(name);

		if (value != NULL && name[0] != '\0')
			environment_put(e, name, value);
	}
}

const char *
environment_filter(struct arena *a, const char *value, const char *allowed)
{
	char *text = arena_text(a, value);

	for (char *p = text; *p != '\0'; p++)
		if (strchr(allowed, *p) == NULL)
			*p = '_';
	return text;
}
