/* SPDX-License-Identifier: ISC */
#include "lib/table/main_setting.h"

#include <string.h>

#include "lib/conf/conf.h"
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

static void
visit_one(void *with, const char *name, const char *raw, const char *origin)
{
	const struct visiting *v = with;
	size_t n = strlen(v->prefix);

	(void)raw;
	(void)origin;
	if (strncmp(name, v->prefix, n) == 0 && name[n] == '_')
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
