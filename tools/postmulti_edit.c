/* SPDX-License-Identifier: ISC */
/*
 * Changes of what instances there are. Each checks everything first; the
 * primary instance's main.cf is changed when all is there that it will name.
 */
#include "tools/postmulti.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "tools/master_lock.h"

/* The places of an instance that is made or taken up. */
struct places {
	const char *config;
	const char *queue;
	const char *data;
};

static void
demand_managed(const struct mail_instance *primary)
{
	if (primary->own.multi_instance_wrapper[0] == '\0')
		fatal_status(EXIT_FAILURE,
		    "multi_instance_wrapper is empty, run 'postmulti -e init' "
		    "first");
	if (!primary->own.multi_instance_enable)
		fatal_status(EXIT_FAILURE,
		    "multi_instance_enable!=yes, run 'postmulti -e init' "
		    "first");
}

static struct mail_instance *
demand_one(struct instances *all, const struct edit_request *r)
{
	if (r->choice.name == NULL)
		fatal_status(EXIT_FAILURE, "Select an instance via '-i name'");
	for (size_t i = 0; i < all->count; i++)
		if (instance_chosen(&all->list[i], &r->choice))
			return &all->list[i];
	fatal_status(EXIT_FAILURE, "No instance named %s", r->choice.name);
}

/* Whose it is that would be removed, or asked for its lock. */
static void
demand_own_places(const struct instances *all, const struct mail_instance *i)
{
	static const char *const names[] = { "queue_directory",
		"data_directory" };

	if (!i->places_known)
		fatal_status(EXIT_FAILURE, "instance %s: %s", i->directory,
		    i->trouble);
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
		if (conf_raw(i->conf, names[k]) == NULL)
			fatal_status(EXIT_FAILURE,
			    "instance %s: %s is not set in its main.cf, so "
			    "that it is the primary instance's: set it first",
			    i->directory, names[k]);
		else if (conf_value(i->conf, names[k])[0] != '/')
			fatal_status(EXIT_FAILURE,
			    "Parameter setting '%s' is not an absolute path",
			    names[k]);
	check_not_shared(all, i);
}

static void
demand_removable(const struct instances *all, const struct mail_instance *i)
{
	pid_t master;

	if (i->primary)
		fatal_status(EXIT_FAILURE,
		    "Cannot remove the primary instance");
	if (i->conf == NULL)
		return;
	demand_own_places(all, i);
	if (i->enabled)
		fatal_status(EXIT_FAILURE, "Cannot remove enabled instances");
	master = master_lock_holder(i->common.queue_directory);
	if (master != 0)
		fatal_status(EXIT_FAILURE, "Instance '%s' is not stopped",
		    i->directory);
}

/* Where a new one goes: behind all, or before the first that was chosen. */
static size_t
position(const struct instances *all, const struct edit_request *r)
{
	if (r->first)
		return 1;
	if (r->choice.name == NULL && r->choice.group == NULL)
		return all->count;
	for (size_t i = 1; i < all->count; i++)
		if (instance_chosen(&all->list[i], &r->choice))
			return i;
	fatal_status(EXIT_FAILURE, "No matching secondary instances");
}

static void
list_directories(struct buf *out, const char *directory)
{
	buf_printf(out, "%s%s", out->n > 0 ? " " : "", directory);
}

/* alternate_config_directories, with the directory or without it. */
static void
alternates(const struct mail_instance *primary, const char *directory,
    bool with, struct buf *out)
{
	struct span rest, item;

	rest = span_of(primary->common.alternate_config_directories);
	while (conf_list_next(&rest, &item))
		if (!span_is(item, directory))
			buf_printf(out, "%s%.*s", out->n > 0 ? " " : "",
			    SPAN_ARG(item));
	if (with)
		list_directories(out, directory);
}

static void
set_lists(const struct mail_instance *primary, const struct buf *instances,
    const struct buf *others)
{
	const char *settings[2][2] = {
		{ "multi_instance_directories", buf_text(instances) },
		{ "alternate_config_directories", buf_text(others) },
	};
	/* a list that nobody has set stays so */
	bool both = others->n > 0 ||
	    conf_raw(primary->conf, "alternate_config_directories") != NULL;

	files_set(primary->directory, settings, both ? 2 : 1);
}

static void
put_in_list(const struct instances *all, const char *directory, size_t place)
{
	struct buf list = BUF_INIT(1 << 20), others = BUF_INIT(1 << 20);

	for (size_t i = 1; i <= all->count; i++) {
		if (i == place)
			list_directories(&list, directory);
		if (i < all->count)
			list_directories(&list, all->list[i].directory);
	}
	alternates(&all->list[0], directory, false, &others);
	set_lists(&all->list[0], &list, &others);
	buf_fini(&list);
	buf_fini(&others);
}

/* "deported": set-gid commands may still be told of it. */
static void
take_from_list(const struct instances *all, const struct mail_instance *gone,
    bool deported)
{
	struct buf list = BUF_INIT(1 << 20), others = BUF_INIT(1 << 20);

	for (size_t i = 1; i < all->count; i++)
		if (&all->list[i] != gone)
			list_directories(&list, all->list[i].directory);
	alternates(&all->list[0], gone->directory, deported, &others);
	set_lists(&all->list[0], &list, &others);
	buf_fini(&list);
	buf_fini(&others);
}

/* "-" stands for none; NULL: no change. */
static void
set_names(const char *directory, const char *name, const char *group)
{
	const char *settings[2][2];
	size_t n = 0;

	if (name != NULL) {
		settings[n][0] = "multi_instance_name";
		settings[n++][1] = strcmp(name, "-") == 0 ? "" : name;
	}
	if (group != NULL) {
		settings[n][0] = "multi_instance_group";
		settings[n++][1] = strcmp(group, "-") == 0 ? "" : group;
	}
	if (n > 0)
		files_set(directory, settings, n);
}

static void
check_group(const char *group)
{
	struct span s = span_of(group);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' ||
		    strchr(",${}", s.p[i]) != NULL)
			fatal_status(EXIT_FAILURE,
			    "group '%s': no blanks, commas, $ or braces, "
			    "please",
			    group);
}

/* name=value, of the places that this action may be told. */
static void
read_places(const char *action, char **words, bool all_places,
    const char *mail_owner, struct places *p)
{
	for (; *words != NULL; words++) {
		const char **into;
		const char *equals = strchr(*words, '=');
		struct span name =
		    span_take(span_of(*words), span_find(span_of(*words), '='));

		if (equals == NULL)
			fatal_status(EXIT_FAILURE,
			    "Malformed name=value argument '%s'", *words);
		if (span_is(name, "config_directory"))
			into = &p->config;
		else if (all_places && span_is(name, "queue_directory"))
			into = &p->queue;
		else if (all_places && span_is(name, "data_directory"))
			into = &p->data;
		else
			fatal_status(EXIT_FAILURE,
			    "Parameter '%.*s' not valid with action %s",
			    SPAN_ARG(name), action);
		*into = check_place(mem_span_text(name), equals + 1,
		    into == &p->data ? mail_owner : NULL);
	}
}

/* Beside the primary one's, with the new instance's name. */
static const char *
beside(const char *what, const char *primary, const char *name,
    const char *owner)
{
	const char *slash = strrchr(primary, '/');
	const char *path;

	if (slash == NULL || name == NULL || strcmp(name, "-") == 0)
		fatal_status(EXIT_FAILURE, "Missing %s parameter value", what);
	path = mem_printf("%.*s/%s", (int)(slash - primary), primary, name);
	return check_place(what, path, owner);
}

static bool
is_there(const char *directory, const char *name)
{
	char *path = mem_printf("%s/%s", directory, name);
	bool found = access(path, F_OK) == 0;

	free(path);
	return found;
}

/* Both files, or none: one alone is somebody's unfinished work. */
static bool
is_complete(const char *directory)
{
	bool main_cf = is_there(directory, "main.cf");

	if (is_there(directory, "master.cf") != main_cf)
		fatal_status(EXIT_FAILURE, "'%s' lacks a %s file", directory,
		    main_cf ? "master.cf" : "main.cf");
	return main_cf;
}

/* Takes up a configuration that is there. */
static void
check_import(const struct instances *all, const struct edit_request *r,
    const struct places *p, struct mail_instance *i)
{
	instance_read(i, p->config);
	if (i->trouble != NULL)
		fatal_status(EXIT_FAILURE, "%s", i->trouble);
	i->common.queue_directory =
	    check_place("queue_directory", i->common.queue_directory, NULL);
	i->common.data_directory = check_place("data_directory",
	    i->common.data_directory, i->common.mail_owner);
	check_unique(all, i);
	check_queue_place(i->common.queue_directory);
	check_data_place(i->common.data_directory, i->common.mail_owner);
	if (r->new_name == NULL)
		check_name(all, i, i->common.multi_instance_name);
}

static void
check_new(const struct instances *all, struct places *p,
    const struct edit_request *r, struct mail_instance *i)
{
	const struct common_params *c = &all->list[0].common;

	if (p->queue == NULL)
		p->queue = beside("queue_directory", c->queue_directory,
		    r->new_name, NULL);
	if (p->data == NULL)
		p->data = beside("data_directory", c->data_directory,
		    r->new_name, c->mail_owner);
	*i = (struct mail_instance){ .directory = p->config };
	i->common.queue_directory = p->queue;
	i->common.data_directory = p->data;
	check_unique(all, i);
	check_queue_place(p->queue);
	check_data_place(p->data, c->mail_owner);
}

static int
add_instance(struct instances *all, const char *action,
    const struct edit_request *r)
{
	bool creating = strcmp(action, "create") == 0, complete;
	char *set[] = { (char[]){ "set-permissions" }, NULL };
	struct places p = { 0 };
	struct mail_instance i;
	size_t place = position(all, r);

	read_places(action, r->words, creating, all->list[0].common.mail_owner,
	    &p);
	i = (struct mail_instance){ .directory =
					p.config ? p.config : "(new)" };
	if (r->new_name != NULL)
		check_name(all, &i, r->new_name);
	if (p.config == NULL)
		p.config = beside("config_directory", all->list[0].directory,
		    r->new_name, NULL);
	complete = is_complete(p.config);
	if (complete || !creating)
		check_import(all, r, &p, &i);
	else
		check_new(all, &p, r, &i);
	if (!complete)
		files_create(&all->list[0], p.config, p.queue, p.data);
	set_names(p.config, r->new_name, r->new_group);
	put_in_list(all, p.config, place);
	instance_read(&i, p.config);
	return instance_control(all, &i, set) == 0 ? EXIT_SUCCESS :
						     EXIT_FAILURE;
}

static int
do_create(struct instances *all, const struct edit_request *r)
{
	return add_instance(all, "create", r);
}

static int
do_import(struct instances *all, const struct edit_request *r)
{
	return add_instance(all, "import", r);
}

static int
do_init(struct instances *all, const struct edit_request *r)
{
	static const char *const settings[][2] = {
		{ "multi_instance_wrapper",
		    "${command_directory}/postmulti -p --" },
		{ "multi_instance_enable", "yes" },
	};

	(void)r;
	files_set(all->list[0].directory, settings, 2);
	return EXIT_SUCCESS;
}

static int
do_deport(struct instances *all, const struct edit_request *r)
{
	const struct mail_instance *i = demand_one(all, r);

	demand_removable(all, i);
	take_from_list(all, i, i->conf != NULL);
	return EXIT_SUCCESS;
}

static int
do_destroy(struct instances *all, const struct edit_request *r)
{
	const struct mail_instance *i = demand_one(all, r);

	demand_removable(all, i);
	files_demand_no_mail(i->common.queue_directory);
	take_from_list(all, i, false);
	files_remove(i);
	return EXIT_SUCCESS;
}

static int
set_enabled(struct instances *all, const struct edit_request *r,
    const char *value)
{
	const char *settings[][2] = { { "multi_instance_enable", value } };

	files_set(demand_one(all, r)->directory, settings, 1);
	return EXIT_SUCCESS;
}

static int
do_enable(struct instances *all, const struct edit_request *r)
{
	return set_enabled(all, r, "yes");
}

static int
do_disable(struct instances *all, const struct edit_request *r)
{
	return set_enabled(all, r, "no");
}

static int
do_assign(struct instances *all, const struct edit_request *r)
{
	const struct mail_instance *i = demand_one(all, r);

	if (r->new_name == NULL && r->new_group == NULL)
		fatal_status(EXIT_FAILURE,
		    "Specify new instance name or group with '-e assign'");
	if (r->new_name != NULL)
		check_name(all, i, r->new_name);
	set_names(i->directory, r->new_name, r->new_group);
	return EXIT_SUCCESS;
}

static const struct action {
	const char *name;
	int (*act)(struct instances *all, const struct edit_request *r);
	bool names; /* takes -I and -G */
	bool words; /* takes name=value */
	bool anyhow; /* also where an instance cannot be read */
} actions[] = {
	{ "create", do_create, true, true, false },
	{ "destroy", do_destroy, false, false, false },
	{ "import", do_import, true, true, false },
	{ "deport", do_deport, false, false, true },
	{ "enable", do_enable, false, false, false },
	{ "disable", do_disable, false, false, false },
	{ "assign", do_assign, true, false, false },
	{ "init", do_init, false, false, true },
};

static const struct action *
find(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	fatal_status(EXIT_FAILURE,
	    "Invalid '-e' edit action '%s'. Specify 'create', 'destroy', "
	    "'import', 'deport', 'enable', 'disable', 'assign' or 'init'",
	    name);
}

int
multi_edit(struct instances *all, const char *name,
    const struct edit_request *r)
{
	const struct action *action = find(name);
	const char *primary = all->list[0].directory;
	int status, lock;

	if (!action->names && (r->new_name != NULL || r->new_group != NULL))
		fatal_status(EXIT_FAILURE,
		    "Cannot assign instance name or group with '-e %s'", name);
	if (!action->words && r->words[0] != NULL)
		fatal_status(EXIT_FAILURE,
		    "Parameter overrides not valid with '-e %s'", name);
	if (r->new_group != NULL)
		check_group(r->new_group);
	/* two of us take turns */
	lock = open(primary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		fatal_status(EXIT_FAILURE, "%s: %m", primary);
	primary = mem_text(primary);
	*all = (struct instances){ 0 };
	instances_load(all, primary);
	if (!action->anyhow)
		instances_demand(all);
	if (action->act != do_init)
		demand_managed(&all->list[0]);
	status = action->act(all, r);
	fd_close(&lock);
	return status;
}
