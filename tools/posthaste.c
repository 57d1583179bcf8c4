/* SPDX-License-Identifier: ISC */
/*
 * posthaste - starts, stops and looks after the suite.
 *
 * SECURITY: for root (or the user of a private instance); no extra rights.
 * Reads main.cf, speaks with master through public/master, which asks the
 * kernel who we are.
 */
#include "tools/posthaste.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_supervisor.h"
#include "lib/log/log.h"
#include "lib/net/connect.h"
#include "tools/flush_request.h"
#include "tools/master_lock.h"

#define PARAM_GROUP postmulti
#define PARAM_DEF "tools/params.def"
#include "lib/conf/param.h"

enum {
	ANSWER_S = 60,
	END_S = 60, /* stop and abort: master kills within less */
	END_POLL_MS = 20,
	NOT_RUNNING = 3, /* exit of status, as init scripts know it */
};

static struct instance instance;

/* Of the master that runs, 0: none does. */
static pid_t
master_pid(void)
{
	pid_t pid = master_lock_holder(".");

	if (pid < 0) /* others may read it, not lock it */
		fatal_status(EX_NOPERM,
		    "%s/pid/master.pid: %m: this is for "
		    "root",
		    instance.common.queue_directory);
	return pid;
}

static bool
running(void)
{
	return master_pid() != 0;
}

static int
not_running(void)
{
	log_error("the Posthaste mail system is not running");
	return EXIT_FAILURE;
}

static void
show(const char *text, void (*put)(const char *, ...))
{
	struct span rest = span_of(text), line;

	while (span_cut(&rest, "\n", true, &line))
		put("%.*s", SPAN_ARG(line));
}

/* The answer's texts live as long as the connection. */
static const struct msg_supervised *
ask(struct ipc **c, const char *action)
{
	struct msg_supervise question = { .action = action };
	int64_t deadline = clock_in(ANSWER_S);
	int fd = connect_unix("public/master", deadline);
	const void *answer;
	enum ipc_result r;

	if (fd < 0)
		return NULL;
	*c = ipc_new(fd, &protocol_supervisor, "master");
	ipc_put(*c, &message_supervise, &question);
	r = ipc_expect(*c, &message_supervised, &answer, deadline);
	if (r == IPC_OK)
		return answer;
	log_error("master: %s", ipc_result_text(r));
	return NULL;
}

static int
tell(const char *action)
{
	const struct msg_supervised *answer;
	struct ipc *c = NULL;
	int status = EXIT_FAILURE;

	if (!running())
		return not_running();
	answer = ask(&c, action);
	if (answer == NULL) {
		log_error("master does not answer");
	} else {
		show(answer->warnings, log_warning);
		show(answer->text, log_error);
		status = answer->done ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	ipc_free(&c);
	return status;
}

static int
start(bool foreground)
{
	char *path = mem_printf("%s/master", instance.common.daemon_directory);
	char *arguments[] = { path, (char[]){ "-c" },
		mem_text(instance.directory),
		foreground ? (char[]){ "-d" } : (char[]){ "-w" }, NULL };

	if (running()) {
		log_error("the Posthaste mail system is already running");
		return EXIT_FAILURE;
	}
	if (!installation_check(&instance))
		return EXIT_FAILURE;
	log_info("starting the Posthaste mail system");
	if (!foreground)
		return run_program(path, arguments);
	execv(path, arguments);
	fatal("cannot run %s: %m", path);
}

/*
 * Master ends when all its children are gone. Its lock is free a moment
 * before that, so the process itself is watched where the kernel lets us.
 */
static int
wait_for_end(int process)
{
	int64_t deadline = clock_in(END_S);
	struct timespec pause = { .tv_nsec = END_POLL_MS * 1000000L };
	struct pollfd p = { .fd = process, .events = POLLIN };

	if (process >= 0 && poll(&p, 1, END_S * 1000) == 1)
		return EXIT_SUCCESS;
	while (running()) {
		if (clock_ms() >= deadline) {
			log_error("master does not end");
			return EXIT_FAILURE;
		}
		(void)nanosleep(&pause, NULL);
	}
	return EXIT_SUCCESS;
}

static int
end(const char *action, const char *doing)
{
	struct ipc *c = NULL;
	pid_t pid = master_pid();
	int process, status;

	if (pid == 0)
		return not_running();
	process = (int)syscall(SYS_pidfd_open, pid, 0);
	log_info("%s the Posthaste mail system", doing);
	if (ask(&c, action) == NULL && kill(pid, SIGTERM) < 0 && errno != ESRCH)
		fatal("cannot signal master, pid %d: %m", (int)pid);
	ipc_free(&c);
	status = wait_for_end(process);
	fd_close(&process);
	return status;
}

static int
do_start(void)
{
	return start(false);
}

static int
do_start_fg(void)
{
	return start(true);
}

static int
do_stop(void)
{
	return end("stop", "stopping");
}

static int
do_abort(void)
{
	return end("abort", "aborting");
}

/*
 * Before anything is given to the new one: master refuses it, and the queue
 * must stay the old one's.
 */
static bool
owner_stays(void)
{
	const struct passwd *owner = getpwnam(instance.common.mail_owner);
	struct stat st;

	if (geteuid() != 0 || owner == NULL || stat("incoming", &st) < 0 ||
	    st.st_uid == owner->pw_uid)
		return true;
	log_error("%s: mail_owner cannot be changed by a reload: stop and "
		  "start",
	    conf_origin(instance.conf, "mail_owner"));
	log_error("the old configuration stays in force");
	return false;
}

static int
do_reload(void)
{
	int status;

	if (!running())
		return not_running();
	if (!owner_stays())
		return EXIT_FAILURE;
	if (!installation_check(&instance)) {
		log_error("the old configuration stays in force");
		return EXIT_FAILURE;
	}
	status = tell("reload");
	if (status == EXIT_SUCCESS)
		log_info("refreshing the Posthaste mail system");
	return status;
}

static int
do_flush(void)
{
	if (!running())
		return not_running();
	if (flush_request("", "") == 0)
		return EXIT_SUCCESS;
	fatal("cannot reach the queue manager: %m");
}

static int
do_check(void)
{
	bool fine = installation_check(&instance);

	fine &= configuration_check(&instance);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
do_set_permissions(void)
{
	if (geteuid() != 0)
		fatal_status(EX_NOPERM, "only root can set permissions");
	return installation_check(&instance) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void
print_processes(const struct msg_supervised *s)
{
	const struct msg_status_process *p = s->processes.items;

	printf("%-28s %-14s %8s %4s %-9s %9s %11s\n", "service", "program",
	    "pid", "gen", "state", "sessions", "served");
	for (size_t i = 0; i < s->processes.count; i++, p++)
		printf("%-28s %-14s %8llu %4llu %-9s %9llu %11llu\n",
		    p->service, p->program, (unsigned long long)p->pid,
		    (unsigned long long)p->generation, p->state,
		    (unsigned long long)p->sessions,
		    (unsigned long long)p->served);
}

/* Who may not lock still learns whether master answers. */
static int
do_status(void)
{
	const struct msg_supervised *answer;
	struct ipc *c = NULL;
	int status = EXIT_FAILURE;

	answer = ask(&c, "status");
	if (answer == NULL) {
		if (errno == EACCES)
			fatal_status(EX_NOPERM,
			    "%s/public/master: %m: this is "
			    "for root",
			    instance.common.queue_directory);
		ipc_free(&c);
		(void)not_running();
		return NOT_RUNNING;
	}
	printf("the Posthaste mail system is %s: PID %llu, generation %llu\n",
	    answer->serving ? "running" : "not serving",
	    (unsigned long long)answer->pid,
	    (unsigned long long)answer->generation);
	print_processes(answer);
	if (answer->serving)
		status = EXIT_SUCCESS;
	ipc_free(&c);
	return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}

static char *
rotated_name(const char *file, const char *suffix)
{
	time_t now = time(NULL);
	char text[200];
	struct tm tm;

	localtime_r(&now, &tm);
	if (strftime(text, sizeof(text), suffix, &tm) == 0 ||
	    strchr(text, '/') != NULL)
		fatal("maillog_file_rotate_suffix: \"%s\" gives no usable name",
		    suffix);
	return mem_printf("%s.%s", file, text);
}

/* The old log is compressed only when nobody writes to it any more. */
static int
do_logrotate(void)
{
	const char *file = instance.common.maillog_file;
	const char *suffix =
	    conf_value(instance.conf, "maillog_file_rotate_suffix");
	const char *compressor =
	    conf_value(instance.conf, "maillog_file_compressor");
	char *to;
	int status = EXIT_SUCCESS;

	if (file[0] == '\0' || strncmp(file, "/dev/", 5) == 0)
		fatal_status(EX_CONFIG, "maillog_file is not set to a file");
	to = rotated_name(file, suffix);
	if (access(to, F_OK) == 0)
		fatal("%s exists already", to);
	if (rename(file, to) < 0)
		fatal("cannot rename %s to %s: %m", file, to);
	if (running())
		status = tell("reopen");
	if (status == EXIT_SUCCESS && compressor[0] != '\0') {
		struct timespec pause = { .tv_sec = 1 };

		(void)nanosleep(&pause, NULL);
		execlp(compressor, compressor, to, (char *)NULL);
		fatal("cannot run %s: %m", compressor);
	}
	free(to);
	return status;
}

static const struct action {
	const char *name;
	int (*act)(void);
	const char *meaning;
} actions[] = {
	{ "start", do_start, "start; returns when the suite serves" },
	{ "start-fg", do_start_fg, "start in the foreground" },
	{ "stop", do_stop, "stop in order; returns when all have ended" },
	{ "abort", do_abort, "stop at once" },
	{ "reload", do_reload, "take up a changed configuration" },
	{ "flush", do_flush, "try all deferred mail now" },
	{ "check", do_check, "verify configuration and installation" },
	{ "status", do_status, "what runs; exit status 0 if all is well" },
	{ "logrotate", do_logrotate, "begin a new maillog_file" },
	{ "set-permissions", do_set_permissions, "repair owners and rights" },
	{ "upgrade-configuration", do_check,
	    "the same as check: no file "
	    "of an older version needs a change" },
};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

noreturn static void
usage(void)
{
	fprintf(stderr,
	    "usage: posthaste [-c config_directory] action\n"
	    "       posthaste [-c config_directory] check --report [--json] "
	    "[directory]\n");
	for (size_t i = 0; i < ACTIONS; i++)
		fprintf(stderr, "\t%-22s %s\n", actions[i].name,
		    actions[i].meaning);
	exit(EX_USAGE);
}

static const struct action *
find_action(const char *name)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

/*
 * Mistakes of the configuration are master's to tell; here only what is
 * needed to reach it must be right, so that a broken main.cf can be stopped.
 */
static void
read_settings(const char *option)
{
	struct buf errors = BUF_INIT(1 << 20);

	instance.directory = realpath(conf_find_directory(option), NULL);
	if (instance.directory == NULL)
		fatal_status(EX_CONFIG, "configuration directory %s: %m",
		    conf_find_directory(option));
	(void)setenv("MAIL_CONFIG", instance.directory, 1);
	instance.conf = conf_read(instance.directory, &errors, NULL);
	if (instance.conf == NULL) {
		show(buf_text(&errors), log_error);
		exit(EX_CONFIG);
	}
	buf_reset(&errors);
	(void)conf_fill(instance.conf, &common_param_group, &instance.common,
	    &errors);
	buf_fini(&errors);
}

static void
enter_queue(const char *action)
{
	const char *name = instance.common.queue_directory;

	if (chdir(name) == 0)
		return;
	if (errno != ENOENT)
		fatal_status(EX_NOPERM, "queue_directory %s: %m", name);
	if (strcmp(action, "start") != 0 && strcmp(action, "start-fg") != 0 &&
	    strcmp(action, "check") != 0 &&
	    strcmp(action, "set-permissions") != 0)
		exit(not_running());
}

/*
 * The words behind "check": --report, --json, and the directory of another
 * configuration, as Postfix's. Nothing is looked at but the files.
 */
static int
do_report(char **words)
{
	const char *directory = instance.directory;
	bool json = false;

	if (strcmp(*words++, "--report") != 0)
		usage();
	if (*words != NULL && strcmp(*words, "--json") == 0) {
		json = true;
		words++;
	}
	if (*words != NULL)
		directory = *words++;
	if (*words != NULL)
		usage();
	return configuration_report(&instance, directory, json) ? EXIT_SUCCESS :
								  EXIT_FAILURE;
}

/* Whatever is wrong with the settings, what runs here can be stopped. */
static bool
ends(const struct action *action)
{
	return action->act == do_stop || action->act == do_abort;
}

/*
 * For all instances: multi_instance_wrapper does it, which asks us again for
 * each. Returns where there is none, or where this instance alone is to be
 * stopped because its settings are bad.
 */
static void
leave_to_wrapper(const struct action *action)
{
	struct postmulti_params p;
	struct buf errors = BUF_INIT(1 << 16);
	struct span rest, item;
	char **words = mem_array(1, sizeof(*words));
	size_t n = 0;

	if (!conf_fill(instance.conf, &postmulti_param_group, &p, &errors)) {
		if (!ends(action))
			fatal_lines(EX_CONFIG, buf_text(&errors));
		show(buf_text(&errors), log_error);
		log_error("other instances than %s are left alone",
		    instance.directory);
		buf_fini(&errors);
		free(words);
		return;
	}
	rest = span_of(p.multi_instance_wrapper);
	while (conf_list_next(&rest, &item)) {
		words = mem_resize(words, (n + 3) * sizeof(*words));
		words[n++] = mem_span_text(item);
	}
	buf_fini(&errors);
	if (n == 0) {
		free(words);
		return;
	}
	if (action->act == do_start_fg) {
		if (instance.common.multi_instance_directories[0] != '\0')
			fatal_status(EX_USAGE,
			    "start-fg does not support "
			    "multi_instance_directories: name an instance "
			    "with -c");
		free(words);
		return;
	}
	words[n++] = mem_text(action->name);
	words[n] = NULL;
	execvp(words[0], words);
	if (ends(action)) {
		log_error("multi_instance_wrapper: cannot run %s: %m: other "
			  "instances than %s are left alone",
		    words[0], instance.directory);
		return;
	}
	fatal("multi_instance_wrapper: cannot run %s: %m", words[0]);
}

int
main(int argc, char **argv)
{
	const struct action *action;
	const char *option = NULL, *named;
	bool single;
	int c;

	log_open_stderr("posthaste");
	umask(022);
	while ((c = getopt(argc, argv, "+c:Dv")) != -1) {
		if (c == 'c')
			option = optarg;
		else if (c == 'v')
			(void)setenv("MAIL_VERBOSE", "1", 1);
		else if (c != 'D')
			usage();
	}
	if (getenv("MAIL_VERBOSE") != NULL)
		log_threshold(LEVEL_DEBUG);
	if (optind >= argc)
		usage();
	action = find_action(argv[optind++]);
	if (action == NULL || (optind < argc && action->act != do_check))
		usage();
	named = getenv("MAIL_CONFIG");
	single = option != NULL || (named != NULL && named[0] != '\0');
	read_settings(option);
	if (optind < argc)
		return do_report(argv + optind);
	if (!single)
		leave_to_wrapper(action);
	enter_queue(action->name);
	return action->act();
}
