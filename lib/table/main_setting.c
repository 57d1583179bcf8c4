/* SPDX-License-Identifier: ISC */
#include "lib/table/main_setting.h"

#include <string.h>

#include "lib/conf/conf.h"
#include "lib/conf/conf_parts.h"
#include "lib/table/table.h"

/* Process lifetime. */
static struct conf *conf;

void
table_main_settings(struct conf *c)
{
	conf = c;
}

const char *
main_setting_find(void *with, const char *name)
{
	(void)with;
	return main_setting(name);
}

const char *
main_setting(const char *name)
{
	return conf != NULL ? conf_value_if_set(conf, name) : NULL;
}

int64_t
main_setting_number(const char *name, int64_t fallback)
{
	const char *text = main_setting(name);
	uint64_t number;

	if (text == NULL || !span_u64(span_of(text), INT32_MAX, &number) ||
	    number == 0)
		return fallback;
	return (int64_t)number;
}

struct visiting {
	const char *prefix;
	void (*visit)(void *with, const char *name);
	void *with;
};

/* Is there a "type:name" of just this name? */
struct seeking {
	struct span name;
	bool found;
};

static void
seek(void *with, const char *name, const char *raw, const char *origin)
{
	struct seeking *k = with;

	(void)name;
	(void)origin;
	for (const char *p = strchr(raw, ':'); p != NULL && !k->found;
	     p = strchr(p + 1, ':'))
		k->found = strncmp(p + 1, k->name.p, k->name.n) == 0 &&
		    strcspn(p + 1 + k->name.n, " \t,{}()") == 0;
}

/*
 * A name that begins as a table's do, and is the suite's own (transport_maps
 * beside ldap:transport), or of a table with a longer name (users_alias_query
 * beside mysql:users).
 */
static bool
is_of_another(const char *name, size_t prefix_n)
{
	struct span whole = span_of(name);
	struct seeking k = { .found = false };

	if (param_find(whole) != NULL || compat_find(whole) != NULL ||
	    conf_family_find(whole) != NULL)
		return true;
	for (const char *end = strchr(name + prefix_n + 1, '_');
	     end != NULL && !k.found; end = strchr(end + 1, '_')) {
		k.name = span_take(whole, (size_t)(end - name));
		conf_each(conf, seek, &k);
	}
	return k.found;
}

static void
visit_one(void *with, const char *name, const char *raw, const char *origin)
{
	const struct visiting *v = with;
	size_t n = strlen(v->prefix);

	(void)raw;
	(void)origin;
	if (strncmp(name, v->prefix, n) == 0 && name[n] == '_' &&
	    !is_of_another(name, n))
		v->visit(v->with, name + n + 1);
}

void
main_setting_each(const char *prefix,
    void (*visit)(void *with, const char *name), void *with)
{
	struct visiting v = { prefix, visit, with };

	if (conf != NULL)
		conf_each(conf, visit_one, &v);
}
