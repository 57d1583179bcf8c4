/* SPDX-License-Identifier: ISC */
#include "lib/conf/handed_on.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

/* The last -o counts, then main.cf. */
static const char *
service_name(struct conf *c, const struct master_entry *e)
{
	static const char name[] = "smtpd_service_name=";
	const char *value = NULL;

	for (char **o = e->overrides; *o != NULL; o++)
		if (strncmp(*o, name, strlen(name)) == 0)
			value = *o + strlen(name);
	return value != NULL ? value : conf_value(c, "smtpd_service_name");
}

const struct master_entry *
handed_on_to(const struct master_cf *cf, struct conf *c,
    const struct master_entry *e)
{
	const char *name;

	if (strcmp(e->command, "postscreen") != 0)
		return NULL;
	name = service_name(c, e);
	for (size_t i = 0; i < cf->count; i++) {
		const struct master_entry *to = &cf->entries[i];

		if (to->type == SERVICE_PASS && !to->disabled &&
		    strcmp(to->command, "smtpd") == 0 &&
		    strcmp(to->name, name) == 0)
			return to;
	}
	return NULL;
}

bool
handed_on_any(const struct master_cf *cf, struct conf *c,
    const struct master_entry *pass)
{
	for (size_t i = 0; i < cf->count; i++)
		if (!cf->entries[i].disabled &&
		    handed_on_to(cf, c, &cf->entries[i]) == pass)
			return true;
	return false;
}

static size_t
count(char *const *list)
{
	size_t n = 0;

	while (list[n] != NULL)
		n++;
	return n;
}

/* Behind its own ones, so that they win. */
void
handed_on_take(struct master_entry *e, const struct master_entry *to)
{
	size_t own = count(e->overrides), more = count(to->overrides);

	e->overrides =
	    mem_resize(e->overrides, (own + more + 1) * sizeof(char *));
	for (size_t i = 0; i < more; i++)
		e->overrides[own + i] = mem_text(to->overrides[i]);
	e->overrides[own + more] = NULL;
	e->maxproc = to->maxproc;
}
