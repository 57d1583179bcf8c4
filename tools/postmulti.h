/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_POSTMULTI_H
#define TOOLS_POSTMULTI_H

/*
 * The parts of postmulti(1). An instance is a configuration directory; the
 * primary one lists the others in multi_instance_directories.
 */

#include <stdbool.h>
#include <stddef.h>
#include "lib/conf/common.h"

#define PARAM_GROUP postmulti
#define PARAM_DEF "tools/params.def"
#include "lib/conf/param.h"

struct mail_instance {
	const char *directory; /* of its configuration, as it is written */
	struct conf *conf; /* NULL: cannot be read */
	const char *trouble; /* first mistake that keeps it from being used */
	bool places_known; /* its directories and their owner are no guesses */
	struct common_params common;
	struct postmulti_params own;
	bool primary;
	bool enabled;
};

struct instances {
	struct mail_instance *list; /* the primary one first */
	size_t count;
};

/* Which instances -a, -g and -i choose; in the order of their start. */
struct choice {
	const char *group; /* NULL: any */
	const char *name; /* name, directory, or "-" for the primary one */
};

/* What an edit (-e) is told besides. */
struct edit_request {
	struct choice choice;
	bool first; /* -a: before all others */
	const char *new_name; /* -I; NULL: not given */
	const char *new_group; /* -G */
	char **words; /* name=value ..., NULL at the end */
};

/* Reads the primary instance and those that it names. */
void instances_load(struct instances *all, const char *primary);
/* One that is not among them (yet). */
void instance_read(struct mail_instance *i, const char *directory);
bool instance_chosen(const struct mail_instance *i, const struct choice *c);
/* Ends the program unless each of them can be used. */
void instances_demand(const struct instances *all);
/*
 * Tells of those that cannot be used, and are or might be chosen; false if
 * there is any. They are left out, so that they hold up no other.
 */
bool instances_tell(const struct instances *all, const struct choice *c);

/* -l, -x and -p: exit statuses. */
int
multi_list(const struct instances *all, const struct choice *c, bool reverse);
int multi_run(const struct instances *all, const struct choice *c, bool reverse,
    char **command);
int multi_control(const struct instances *all, const struct choice *c,
    char **command);
/* Runs posthaste ACTION for one instance: its exit status. */
int instance_control(const struct instances *all, const struct mail_instance *i,
    char **words);

/* -e; does not return when it is refused. */
int multi_edit(struct instances *all, const char *action,
    const struct edit_request *r);

/*
 * postmulti_checks.c: refusals. All of them end the program with a message
 * that names what is in the way.
 */
/* Does anything of the new one belong to another one of them? */
void check_unique(const struct instances *all, const struct mail_instance *i);
/* Does anything of this one, which is to go, belong to another? */
void
check_not_shared(const struct instances *all, const struct mail_instance *i);
void check_name(const struct instances *all, const struct mail_instance *i,
    const char *name);
/*
 * May be made, or is there and may become the new instance's? "owner" may have
 * it besides root, NULL: nobody. Returns the path without symbolic links: what
 * was looked at is what is to be used.
 */
char *check_place(const char *what, const char *path, const char *owner);
void check_queue_place(const char *path);
void check_data_place(const char *path, const char *mail_owner);

/* postmulti_files.c: an instance's files and directories. */
/* Makes directories and stock files; master.cf last. */
void files_create(const struct mail_instance *primary, const char *directory,
    const char *queue, const char *data);
/* Ends the program when mail is in the queue. */
void files_demand_no_mail(const char *queue);
/* Removes what the suite has made there; warns about what stays. */
void files_remove(const struct mail_instance *i);
/* Sets one value of main.cf. */
void
files_set(const char *directory, const char *const settings[][2], size_t count);

#endif
