/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: every program of the suite begins here, with the rights of
 * master. Until they are dropped it reads what master wrote (arguments,
 * settings) and runs the program's before(), nothing else.
 */
#include "lib/service/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/conf/common.h"
#include "lib/conf/master_cf.h"
#include "lib/log/log.h"
#include "lib/log/log_crash.h"
#include "lib/sandbox/sandbox.h"
#include "lib/task/task.h"

static struct running running;
static struct common_params common;
static const char *promises_too = "";

static void
tag_log(const char *name, const char *command)
{
	char *tag = mem_printf("%s/%s", name, command);

	log_open(tag, SERVICE_FD_LOG);
	free(tag);
}

static void
need_master(const char *program)
{
	log_open_stderr(program);
	if (fcntl(SERVICE_FD_LISTENERS - 1, F_GETFD) < 0 ||
	    fcntl(SERVICE_FD_CONTROL, F_GETFD) < 0 ||
	    fcntl(SERVICE_FD_LOG, F_GETFL) < 0)
		fatal("this program is started by the posthaste master only, "
		      "from a line in master.cf");
	(void)fd_cloexec(SERVICE_FD_LOG, true);
	tag_log("posthaste", program);
}

/* Settings of one group, or the end with all that is wrong with them. */
static void
fill(const struct param_group *group, void *into)
{
	struct buf errors = BUF_INIT(65536);
	struct span rest, line;

	if (conf_fill(running.service.conf, group, into, &errors)) {
		buf_fini(&errors);
		return;
	}
	rest = buf_span(&errors);
	while (span_cut(&rest, "\n", true, &line))
		log_error("%.*s", SPAN_ARG(line));
	fatal("wrong settings");
}

static void
take_settings(const struct service_arguments *a)
{
	struct buf error = BUF_INIT(1024);
	char *name = mem_printf("service_name=%s", a->name);

	running.service.conf = conf_read_snapshot(SERVICE_FD_SETTINGS);
	close(SERVICE_FD_SETTINGS);
	/* for "-o syslog_name=postfix/$service_name" */
	conf_override(running.service.conf, name, &error);
	free(name);
	for (char **o = a->overrides; *o != NULL; o++)
		if (!conf_override(running.service.conf, *o, &error))
			fatal("-o %s: %s", *o, buf_text(&error));
	buf_fini(&error);
	fill(&common_param_group, &common);
	running.max_idle_ms = common.max_idle * 1000;
	tag_log(common.syslog_name, running.service.command);
	for (const struct service_params *p = running.spec->params;
	     p != NULL && p->group != NULL; p++)
		fill(p->group, p->into);
}

static void
take_listeners(const struct service_arguments *a)
{
	for (size_t i = 0; i < a->listeners; i++) {
		int fd = SERVICE_FD_LISTENERS + (int)i;

		if (fd_cloexec(fd, true) < 0)
			fatal("listener %zu is missing: %m", i);
		running.listeners[i] = fd;
	}
	running.listener_count = a->listeners;
	running.inet = strcmp(a->type, service_type_name(SERVICE_INET)) == 0;
}

static void
set_up(const struct service_spec *spec, int argc, char **argv)
{
	struct service_arguments a;
	struct service *s = &running.service;

	running.spec = spec;
	running.program = program_find(spec->program);
	ensure(running.program != NULL);
	ensure(running.program->style == spec->style);
	service_arguments_parse(&a, argc, argv);
	s->name = a.name;
	s->type = a.type;
	s->program = spec->program;
	s->command = a.command != NULL ? a.command : spec->program;
	s->generation = a.generation;
	s->maxproc = a.maxproc;
	s->separated = geteuid() == 0;
	if (a.verbose)
		log_threshold(LEVEL_DEBUG);
	control_open(SERVICE_FD_CONTROL);
	slots_open(SERVICE_FD_STATUS, a.slot, a.generation);
	take_settings(&a);
	take_listeners(&a);
	if (spec->arguments != NULL)
		spec->arguments(s, a.rest_count, a.rest);
	else if (a.rest_count > 0)
		fatal("service %s: unexpected argument \"%s\" in master.cf",
		    s->name, a.rest[0]);
	free(a.overrides);
}

static void
find_user(uid_t *uid, gid_t *gid)
{
	const char *setting = program_user_setting(running.program->user);
	const char *name = conf_value(running.service.conf, setting);
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (user == NULL)
		fatal("%s: there is no user \"%s\"", setting, name);
	*uid = user->pw_uid;
	*gid = user->pw_gid;
}

/* Without root only the system call filter is left to apply. */
static void
confine(void)
{
	const struct program *p = running.program;
	int shared[SERVICE_LISTENERS_MAX + 1];
	size_t count = 0;
	uid_t uid = 0;
	gid_t gid = 0;
	char *promises;

	if (p->root == ROOT_QUEUE)
		file_system_know(AT_FDCWD);
	if (running.service.separated && p->user != USER_ROOT) {
		find_user(&uid, &gid);
		if (p->root == ROOT_EMPTY)
			sandbox_root("empty");
		else if (p->root == ROOT_QUEUE)
			sandbox_root(".");
		sandbox_become(uid, gid);
	}
	shared[count++] = SERVICE_FD_LOG;
	for (size_t i = 0; i < running.listener_count; i++)
		shared[count++] = running.listeners[i];
	promises = mem_printf("%s%s%s", p->promises,
	    promises_too[0] != '\0' ? " " : "", promises_too);
	sandbox_promise_beside(promises, shared, count);
	free(promises);
}

void
service_promise_too(const char *promises)
{
	promises_too = promises;
}

static void
run(void)
{
	const struct service_spec *spec = running.spec;

	if (spec->style == SERVICE_OWN && spec->run != NULL) {
		spec->run(&running.service);
		return;
	}
	control_ready(running.service.generation);
	slots_state(SLOT_IDLE);
	switch (spec->style) {
	case SERVICE_TASKS:
		run_tasks(&running);
		return;
	case SERVICE_ONE:
		run_one(&running);
		return;
	case SERVICE_REQUESTS:
		run_requests(&running);
		return;
	case SERVICE_OWN:
		ensure(spec->trigger != NULL);
		run_triggers(&running);
		return;
	}
	unreachable();
}

void
service_leave(void)
{
	ensure(running.spec->style == SERVICE_TASKS ||
	    running.spec->style == SERVICE_REQUESTS);
	if (running.spec->style == SERVICE_TASKS)
		tasks_leave();
	else
		requests_leave();
}

int
service_run(const struct service_spec *spec, int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	umask(077);
	tzset();
	need_master(spec->program);
	log_crashes();
	set_up(spec, argc, argv);
	if (spec->before != NULL)
		spec->before(&running.service);
	watchdog_start(WATCHDOG_S);
	confine();
	if (spec->after != NULL)
		spec->after(&running.service);
	/* the settings were read by now, in more room than they take */
	mem_give_back();
	run();
	slots_state(SLOT_RETIRING);
	pool_close();
	return EXIT_SUCCESS;
}

size_t
service_listeners(const int **fds)
{
	*fds = running.listeners;
	return running.listener_count;
}

int
service_own_descriptor(enum service_descriptor which)
{
	int fd =
	    SERVICE_FD_LISTENERS + (int)running.listener_count + (int)which;

	if (fd_cloexec(fd, true) < 0)
		fatal("descriptor %d is missing: %m", fd);
	return fd;
}

void
service_ready_without_tasks(void)
{
	slots_state(SLOT_IDLE);
	control_ready(running.service.generation);
}

static void
on_retire(void)
{
	pool_close();
	if (running.spec->retire != NULL)
		running.spec->retire(&running.service);
}

void
service_ready(void)
{
	service_ready_without_tasks();
	control_on_retire(on_retire);
	task_before_wait(log_flush);
	task_at_rest(rest_now);
	log_join_lines();
	control_start_task();
}
