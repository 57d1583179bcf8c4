/* SPDX-License-Identifier: ISC */
#include "lookup/generic.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lookup/address_map.h"

/* Lists that stay open: services may have their own. */
enum { OPEN_MAX = 16 };

struct opened {
	char *specs;
	struct table_list *list;
	unsigned int users; /* tasks that look something up in it */
};

/* Process lifetime: lists that were asked for, the oldest first. */
static struct opened *opened[OPEN_MAX];

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

static void
close_list(struct opened *o)
{
	table_list_free(&o->list);
	free(o->specs);
	free(o);
}

/*
 * A captured smtp can ask for the tables in any combination: then lists are
 * opened again and again, and the others have theirs all the same.
 */
static void
forget_oldest(void)
{
	struct opened *oldest = opened[0];

	memmove(opened, opened + 1, (OPEN_MAX - 1) * sizeof(opened[0]));
	opened[OPEN_MAX - 1] = NULL;
	if (--oldest->users == 0)
		close_list(oldest);
}

/* For end_use(). NULL: it cannot be used, and why is logged. */
static struct opened *
begin_use(const struct query_tables *known, const char *specs)
{
	struct table_list *list;
	size_t i = 0;

	while (i < OPEN_MAX && opened[i] != NULL) {
		if (strcmp(opened[i]->specs, specs) == 0) {
			opened[i]->users++;
			return opened[i];
		}
		i++;
	}
	if (!query_tables_known(known, specs)) {
		log_warning("smtp_generic_maps: a table of \"%.200s\" is in "
			    "no setting",
		    specs);
		return NULL;
	}
	list = open_list(specs);
	if (list == NULL)
		return NULL;
	if (i == OPEN_MAX) {
		forget_oldest();
		i--;
	}
	opened[i] = mem_new(sizeof(*opened[i]));
	/* this task, and the row itself */
	*opened[i] = (struct opened){ mem_text(specs), list, 2 };
	return opened[i];
}

static void
end_use(struct opened *o)
{
	if (--o->users == 0)
		close_list(o);
}

enum verdict
generic_map(struct maps *m, const struct query_tables *known,
    const char *tables, struct arena *a, const char **address, struct why *why)
{
	struct opened *o = begin_use(known, tables);
	struct address_set out = { NULL, 0, 0 };
	bool found;
	enum verdict v;

	if (o == NULL)
		return why_set(why, "4.3.5", "Server configuration error");
	v = address_map(m, o->list, *address, m->propagate_generic, a, &found,
	    &out, why);
	end_use(o);
	if (v != OK || !found)
		return v;
	if (out.count > 1)
		log_warning("smtp_generic_maps: multi-valued entry for %s",
		    *address);
	*address = out.addresses[0];
	return OK;
}
