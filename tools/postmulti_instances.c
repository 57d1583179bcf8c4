/* SPDX-License-Identifier: ISC */
#include "tools/postmulti.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"

static const char *
first_line(const struct buf *b)
{
	struct span s = buf_span(b);

	return mem_span_text(span_take(s, span_find(s, '\n')));
}

/*
 * What is not set right has its default, which is the primary instance's:
 * whoever acts on that, acts on another instance.
 */
static bool
read_places(struct conf *c, struct buf *errors)
{
	static const char *const names[] = { "queue_directory",
		"data_directory", "mail_owner" };
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	struct param list[COUNT];
	const struct param_group group = { .name = "places",
		.params = list,
		.count = COUNT,
		.size = sizeof(struct common_params) };
	struct common_params unused;

	for (size_t i = 0; i < COUNT; i++)
		list[i] = *param_find(span_of(names[i]));
	return conf_fill(c, &group, &unused, errors);
}

void
instance_read(struct mail_instance *i, const char *directory)
{
	struct buf errors = BUF_INIT(1 << 20);

	*i = (struct mail_instance){ .directory = mem_text(directory) };
	i->conf = conf_read(directory, &errors, NULL);
	if (i->conf != NULL) {
		/* what else is wrong with main.cf is for posthaste check */
		buf_reset(&errors);
		(void)conf_fill(i->conf, &common_param_group, &i->common,
		    &errors);
		buf_reset(&errors);
		i->places_known = read_places(i->conf, &errors);
		if (!conf_fill(i->conf, &postmulti_param_group, &i->own,
			&errors) ||
		    !i->places_known)
			i->trouble = first_line(&errors);
		i->enabled = i->own.multi_instance_enable;
	} else {
		i->trouble = first_line(&errors);
	}
	buf_fini(&errors);
}

static void
add(struct instances *all, const char *directory)
{
	all->list =
	    mem_resize(all->list, (all->count + 1) * sizeof(*all->list));
	instance_read(&all->list[all->count++], directory);
}

void
instances_load(struct instances *all, const char *primary)
{
	struct span rest, item;

	add(all, primary);
	all->list[0].primary = true;
	/* one with a spoilt place can be stopped nevertheless */
	if (all->list[0].trouble != NULL &&
	    (all->list[0].conf == NULL || all->list[0].places_known))
		fatal_status(EXIT_FAILURE, "%s", all->list[0].trouble);
	rest = span_of(all->list[0].common.multi_instance_directories);
	while (conf_list_next(&rest, &item)) {
		char *directory = mem_span_text(item);

		add(all, directory);
		free(directory);
	}
	if (all->count == 1) /* nobody else could start it */
		all->list[0].enabled = true;
}

void
instances_demand(const struct instances *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].trouble != NULL)
			fatal_status(EXIT_FAILURE, "instance %s: %s",
			    all->list[i].directory, all->list[i].trouble);
}

/* Nobody knows the name or group of one that cannot be read. */
bool
instances_tell(const struct instances *all, const struct choice *c)
{
	bool found = false, fine = true;

	for (size_t i = 0; i < all->count; i++)
		found |= c->name != NULL && instance_chosen(&all->list[i], c);
	for (size_t k = 0; k < all->count; k++) {
		const struct mail_instance *i = &all->list[k];

		if (i->trouble == NULL ||
		    (!instance_chosen(i, c) && (i->conf != NULL || found)))
			continue;
		log_error("instance %s: %s", i->directory, i->trouble);
		fine = false;
	}
	return fine;
}

bool
instance_chosen(const struct mail_instance *i, const struct choice *c)
{
	if (c->name == NULL)
		return c->group == NULL ||
		    (i->conf != NULL &&
			strcmp(c->group, i->own.multi_instance_group) == 0);
	if (strcmp(c->name, "-") == 0)
		return i->primary;
	return strcmp(c->name, i->directory) == 0 ||
	    (i->conf != NULL && c->name[0] != '\0' &&
		strcmp(c->name, i->common.multi_instance_name) == 0);
}
