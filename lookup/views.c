/* SPDX-License-Identifier: ISC */
#include "lookup/views.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/conf/handed_on.h"
#include "lookup/service_settings.h"

static const struct {
	const char *setting;
	size_t list; /* in struct maps */
} lists[] = {
#define LIST(setting, list) { #setting "_maps", offsetof(struct maps, list) },
	LIST(canonical, canonical) LIST(recipient_canonical,
	    recipient_canonical) LIST(virtual_alias, virtual_alias)
	    LIST(local_recipient, local_recipient) LIST(virtual_mailbox,
		virtual_mailbox) LIST(relay_recipient, relay_recipient)
#undef LIST
};

enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

/* Its lists are those of main.cf, but the own ones. */
struct view {
	char *service;
	struct maps maps;
	struct arena *texts; /* settings that are no lists */
	struct table_list *own[LISTS];
};

struct views {
	struct view **all;
	size_t count;
};

static struct table_list **
list_of(struct maps *m, size_t i)
{
	return (struct table_list **)(void *)((char *)m + lists[i].list);
}

static struct view *
view_new(const struct maps *m, const struct master_entry *e)
{
	struct view *v = mem_new(sizeof(*v));

	v->service = mem_printf("%s/%s", service_type_name(e->type), e->name);
	v->maps = *m;
	v->texts = arena_new();
	return v;
}

static void
view_free(struct view *v)
{
	for (size_t i = 0; i < LISTS; i++)
		table_list_free(&v->own[i]);
	arena_free(&v->texts);
	free(v->service);
	free(v);
}

/* Settings that are no tables. True: there is such a one. */
static bool
set_others(struct view *v, struct service_settings *s)
{
	const char *names =
	    service_setting_if_other(s, "show_user_unknown_table_name");
	const char *delimiter =
	    service_setting_if_other(s, "recipient_delimiter");

	if (names != NULL)
		v->maps.own.show_user_unknown_table_name = conf_yes(names);
	if (delimiter != NULL)
		v->maps.common.recipient_delimiter =
		    arena_text(v->texts, delimiter);
	return names != NULL || delimiter != NULL;
}

/* NULL: the service has nothing of its own in this. */
static struct view *
view_open(const struct maps *m, const struct master_entry *e,
    struct service_settings *s)
{
	struct view *v = view_new(m, e);
	bool differs = set_others(v, s);

	for (size_t i = 0; i < LISTS; i++) {
		const char *specs =
		    service_setting_if_other(s, lists[i].setting);

		if (specs == NULL)
			continue;
		v->own[i] = maps_open_tables(lists[i].setting, specs);
		*list_of(&v->maps, i) = v->own[i];
		differs = true;
	}
	if (differs)
		return v;
	view_free(v);
	return NULL;
}

/* Of the line of postscreen, the options of the other come last. */
static char **
overrides_of(const struct master_entry *e, const struct master_entry *to,
    struct arena *a)
{
	size_t own = 0, more = 0;
	char **both;

	while (e->overrides[own] != NULL)
		own++;
	while (to != NULL && to->overrides[more] != NULL)
		more++;
	both = arena_alloc(a, (own + more + 1) * sizeof(*both));
	memcpy(both, e->overrides, own * sizeof(*both));
	if (more > 0)
		memcpy(both + own, to->overrides, more * sizeof(*both));
	both[own + more] = NULL;
	return both;
}

static void
add_service(struct views *all, struct conf *c, const struct master_entry *e,
    const struct master_entry *to, const struct maps *m)
{
	struct arena *a = arena_new();
	struct service_settings s = { c, overrides_of(e, to, a), a, 0 };
	struct view *v = *s.overrides != NULL ? view_open(m, e, &s) : NULL;

	arena_free(&a);
	if (v == NULL)
		return;
	all->all = mem_resize(all->all, (all->count + 1) * sizeof(v));
	all->all[all->count++] = v;
}

struct views *
views_open(struct conf *c, const struct master_cf *services,
    const struct maps *m)
{
	struct views *v = mem_new(sizeof(*v));

	for (size_t i = 0; services != NULL && i < services->count; i++) {
		const struct master_entry *e = &services->entries[i];
		const struct master_entry *to = handed_on_to(services, c, e);

		if (!e->disabled &&
		    (to != NULL || strcmp(e->command, "smtpd") == 0))
			add_service(v, c, e, to, m);
	}
	return v;
}

struct maps *
views_find(const struct views *v, struct maps *m, const char *service)
{
	for (size_t i = 0; v != NULL && i < v->count; i++)
		if (strcmp(v->all[i]->service, service) == 0)
			return &v->all[i]->maps;
	return m;
}
