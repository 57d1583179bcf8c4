/* SPDX-License-Identifier: ISC */
#include "lib/table/main_setting.h"

#include "lib/base/span.h"
#include "lib/table/table.h"

/* Process lifetime. */
static table_settings_find *find;
static void *find_with;

void
table_main_settings(const char *(*f)(void *with, const char *name), void *with)
{
	find = f;
	find_with = with;
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
	return find != NULL ? find(find_with, name) : NULL;
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
