/* SPDX-License-Identifier: ISC */
/* The same for all chosen instances: list them, run a command, or posthaste. */
#include "tools/postmulti.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"

enum { NOT_RUNNING = 3 /* of posthaste status */ };

static const char *
or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

/* The k-th, counted from the end when reversed. */
static const struct mail_instance *
at(const struct instances *all, size_t k, bool reverse)
{
	return &all->list[reverse ? all->count - 1 - k : k];
}

int
multi_list(const struct instances *all, const struct choice *c, bool reverse)
{
	for (size_t k = 0; k < all->count; k++) {
		const struct mail_instance *i = at(all, k, reverse);

		if (i->trouble == NULL && instance_chosen(i, c))
			printf("%-15s %-15s %-9s %s\n",
			    or_dash(i->common.multi_instance_name),
			    or_dash(i->own.multi_instance_group),
			    i->enabled ? "y" : "n", i->directory);
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* In the child: what a command may want to know of its instance. */
static void
set_environment(const struct mail_instance *primary,
    const struct mail_instance *i)
{
	const char *path = getenv("PATH");
	const struct {
		const char *name, *value;
	} all[] = {
		{ "MAIL_CONFIG", i->directory },
		{ "config_directory", i->directory },
		{ "command_directory", primary->common.command_directory },
		{ "daemon_directory", primary->common.daemon_directory },
		{ "queue_directory", i->common.queue_directory },
		{ "data_directory", i->common.data_directory },
		{ "multi_instance_name", i->common.multi_instance_name },
		{ "multi_instance_group", i->own.multi_instance_group },
		{ "multi_instance_enable", i->enabled ? "yes" : "no" },
	};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		(void)setenv(all[k].name, all[k].value, 1);
	(void)setenv("PATH",
	    mem_printf("%s%s%s", primary->common.command_directory,
		path != NULL ? ":" : "", path != NULL ? path : ""),
	    1);
	if (log_debugging())
		(void)setenv("MAIL_VERBOSE", "1", 1);
}

/* Its exit status; 127 when it cannot be run. */
static int
run(const struct instances *all, const struct mail_instance *i,
    const char *path, char **command)
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		set_environment(&all->list[0], i);
		execvp(path, command);
		log_error("cannot run %s: %m", path);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0)
		fatal_status(EXIT_FAILURE, "cannot run %s: %m", path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

int
multi_run(const struct instances *all, const struct choice *c, bool reverse,
    char **command)
{
	int status = EXIT_SUCCESS;

	for (size_t k = 0; k < all->count; k++) {
		const struct mail_instance *i = at(all, k, reverse);

		if (i->trouble == NULL && instance_chosen(i, c) &&
		    run(all, i, command[0], command) != 0)
			status = EXIT_FAILURE;
	}
	return status;
}

int
instance_control(const struct instances *all, const struct mail_instance *i,
    char **words)
{
	char *path =
	    mem_printf("%s/posthaste", all->list[0].common.command_directory);
	size_t n = 0;
	char **command;
	int status;

	while (words[n] != NULL)
		n++;
	command = mem_array(n + 2, sizeof(*command));
	command[0] = path;
	memcpy(command + 1, words, n * sizeof(*command));
	status = run(all, i, path, command);
	free(command);
	free(path);
	return status;
}

static bool
listed(const char *list, const char *action)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item))
		if (span_is(item, action))
			return true;
	return false;
}

/* The outcome of all: the same as of each, or 1. */
static int
joined(int before, int status, bool first)
{
	return first || before == status ? status : EXIT_FAILURE;
}

/*
 * An instance that is not enabled does not fail by not running: whoever asks
 * whether all is well, and for none by its name, means those that should.
 */
static bool
counts(const struct mail_instance *i, const struct choice *c, int status)
{
	return i->enabled || c->name != NULL || status != NOT_RUNNING;
}

int
multi_control(const struct instances *all, const struct choice *c,
    char **command)
{
	const struct postmulti_params *p = &all->list[0].own;
	bool start = listed(p->postmulti_start_commands, command[0]);
	bool stop = listed(p->postmulti_stop_commands, command[0]);
	bool control = listed(p->postmulti_control_commands, command[0]);
	char *check[] = { (char[]){ "check" }, NULL };
	int result = EXIT_SUCCESS;
	bool first = true;

	for (size_t k = 0; k < all->count; k++) {
		const struct mail_instance *i = at(all, k, stop);
		int status;

		/* the primary one's queue is known well enough to be stopped */
		if (!instance_chosen(i, c) ||
		    (i->trouble != NULL && !i->primary) ||
		    (!i->enabled && (stop || control)))
			continue;
		status = instance_control(all, i,
		    start && !i->enabled ? check : command);
		if (counts(i, c, status)) {
			result = joined(result, status, first);
			first = false;
		}
	}
	return result;
}
