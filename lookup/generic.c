/* SPDX-License-Identifier: ISC */
#include "lookup/generic.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lookup/address_map.h"

/* Lists that stay open: services may have their own. */
enum { OPEN_MAX = 16 };

/* Process lifetime: lists that were asked for, the oldest first. */
static struct {
	char *specs;
	struct table_list *list;
} opened[OPEN_MAX];

static struct table_list *
open_list(const char *specs)
{
	struct buf error = BUF_INIT(4096);
	struct table_list *l = table_list_open(specs, &error);

	if (l == NULL)
		log_error("smtp_generic_maps = %s: %s", specs,
		    buf_text(&error));
	buf_fini(&error);
	return l;
}

/*
 * A captured smtp can ask for the tables in any combination: then lists are
 * opened again and again, and the others have theirs all the same.
 */
static void
close_oldest(void)
{
	free(opened[0].specs);
	table_list_free(&opened[0].list);
	memmove(opened, opened + 1, (OPEN_MAX - 1) * sizeof(opened[0]));
	opened[OPEN_MAX - 1].specs = NULL;
	opened[OPEN_MAX - 1].list = NULL;
}

/* NULL: it cannot be used, and why is logged. */
static struct table_list *
find_list(const struct query_tables *known, const char *specs)
{
	size_t i = 0;

	while (i < OPEN_MAX && opened[i].specs != NULL) {
		if (strcmp(opened[i].specs, specs) == 0)
			return opened[i].list;
		i++;
	}
	if (!query_tables_known(known, specs)) {
		log_warning("smtp_generic_maps: a table of \"%.200s\" is in "
			    "no setting",
		    specs);
		return NULL;
	}
	if (i == OPEN_MAX) {
		close_oldest();
		i--;
	}
	opened[i].list = open_list(specs);
	if (opened[i].list != NULL)
		opened[i].specs = mem_text(specs);
	return opened[i].list;
}

enum verdict
generic_map(struct maps *m, const struct query_tables *known,
    const char *tables, struct arena *a, const char **address, struct why *why)
{
	struct table_list *list = find_list(known, tables);
	struct address_set out = { NULL, 0, 0 };
	bool found;
	enum verdict v;

	if (list == NULL)
		return why_set(why, "4.3.5", "Server configuration error");
	v = address_map(m, list, *address, m->propagate_generic, a, &found,
	    &out, why);
	if (v != OK || !found)
		return v;
	if (out.count > 1)
		log_warning("smtp_generic_maps: multi-valued entry for %s",
		    *address);
	*address = out.addresses[0];
	return OK;
}
