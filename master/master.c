/* SPDX-License-Identifier: ISC */
/*
 * master: starts, watches and ends all programs of the suite.
 *
 * SECURITY: the lasting root process. It hears no stranger: its inputs are
 * the configuration (root's), signals, the control connections of its
 * children (strict messages, and no answer that gives a child more than
 * programs.def says), and the socket for `posthaste`. It never accepts a
 * connection of a service and never reads one byte of mail.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/log/log_crash.h"
#include "lib/tls/ticket_root.h"
#include "master/report.h"

enum {
	LOG_PIPE_BYTES = 1024 * 1024,
	FILES_WANTED = 1024 * 1024,
	START_S = 30,
	TICKETS_LOOK_S = 60,
	HUNG_MS = 120000,
	HUNG_LOOK_S = 30,
};

static struct master master = { .out = -1, .null = -1 };
static char *directory;
static bool foreground;
static int starter = -1; /* the pipe to the process that a person started */
static ev_timer start_timer;

static void
usage(void)
{
	fatal_status(EX_USAGE, "usage: master [-c config_directory] [-Cdvw]");
}

/* -C: says everything that is wrong, does nothing. */
static int
check(void)
{
	struct buf errors = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);
	struct plan *plan = plan_load(directory, 0, NULL, &errors, &warnings);
	bool fine = plan != NULL;

	log_lines(&warnings, log_warning);
	log_lines(&errors, log_error);
	plan_free(&plan);
	buf_fini(&errors);
	buf_fini(&warnings);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* As many as the system lets us: sessions are descriptors. */
static void
raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	if (geteuid() == 0 && r.rlim_max < FILES_WANTED)
		r.rlim_max = FILES_WANTED;
	r.rlim_cur = r.rlim_max < FILES_WANTED ? r.rlim_max : FILES_WANTED;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static void
open_log_pipe(void)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		fatal("pipe: %m");
	(void)fcntl(fd[1], F_SETPIPE_SZ, LOG_PIPE_BYTES);
	master.log_read = fd[0];
	master.log_write = fd[1];
}

static void
make_ticket_memory(void)
{
	master.tickets = ticket_root_create();
	if (master.tickets < 0)
		fatal("memory for keyd: %m");
}

static void
wipe_tickets(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	ticket_root_wipe_old(timer->data, clock_ms());
}

/* keyd itself sleeps until it is asked, and perhaps nobody asks. */
static void
keep_tickets_short(void)
{
	static ev_timer timer;
	struct ticket_root *r =
	    ticket_root_open(fcntl(master.tickets, F_DUPFD_CLOEXEC, 0));

	if (r == NULL) {
		log_warning("memory for keyd: %m: what has had its time is "
			    "wiped when others ask");
		return;
	}
	ev_timer_init(&timer, wipe_tickets, TICKETS_LOOK_S, TICKETS_LOOK_S);
	timer.data = r;
	ev_timer_start(master.loop, &timer);
}

/* Standard streams exist; nothing else that a caller left open stays. */
static void
clean_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		fatal("/dev/null: %m");
	for (int other = STDERR_FILENO + 1; other < fd; other++)
		close(other);
	(void)close_range((unsigned int)fd + 1, ~0U, 0);
	master.null = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
}

static void
let_go_of_terminal(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		(void)dup2(master.null, fd);
}

/* The process that a person started waits here for the outcome. */
static void
go_to_background(void)
{
	char outcome;
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		fatal("pipe: %m");
	pid = fork();
	if (pid < 0)
		fatal("fork: %m");
	if (pid > 0) {
		close(fd[1]);
		if (read(fd[0], &outcome, 1) == 1)
			_exit(EXIT_SUCCESS);
		(void)waitpid(pid, NULL, 0);
		_exit(EXIT_FAILURE);
	}
	close(fd[0]);
	starter = fd[1];
	(void)setsid();
}

static void
serving(struct master *m)
{
	char *tag = mem_printf("%s/master", m->plan->common.syslog_name);

	m->on_ready = NULL;
	m->on_failed = NULL;
	ev_timer_stop(m->loop, &start_timer);
	notify_systemd("READY=1");
	log_open(tag, m->log_write);
	free(tag);
	log_info("daemon started -- version %s, configuration %s",
	    m->plan->common.mail_version, directory);
	if (starter >= 0) {
		let_go_of_terminal();
		(void)!write(starter, "+", 1);
		fd_close(&starter);
	}
}

static int exit_status = EXIT_SUCCESS;

static void
failed(struct master *m, const char *text)
{
	m->on_ready = NULL;
	m->on_failed = NULL;
	exit_status = EXIT_FAILURE;
	log_error("start failed: %s; the log says why", text);
	stop(m, true);
}

/* Our own lines were on standard error when we wrote them. */
static bool
is_ours(struct span line)
{
	char end[32];
	int n = snprintf(end, sizeof(end), "[%d]: ", (int)getpid());

	return memmem(line.p, line.n, end, (size_t)n) != NULL;
}

/*
 * What programs said and no logd has written: why they did not start. The
 * lines are "L TAG[PID]: text".
 */
static void
show_unwritten_log(void)
{
	struct buf lines = BUF_INIT(65536);
	char *to = buf_reserve(&lines, 65000);
	ssize_t got = read(master.log_read, to, 65000);
	struct span rest, line;

	if (got > 0)
		buf_added(&lines, (size_t)got);
	rest = buf_span(&lines);
	log_open_stderr("master");
	while (span_cut(&rest, "\n", true, &line))
		if (!is_ours(line))
			fprintf(stderr, "%.*s\n", SPAN_ARG(span_skip(line, 2)));
	buf_fini(&lines);
}

static void
start_late(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	if (master.on_failed != NULL)
		failed(&master, "the programs that must run are not ready");
}

/* A program that is not ready after minutes never will be. */
static void
look_for_hung(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	for (struct served *s = master.services; s != NULL; s = s->next)
		for (struct child *c = s->children; c != NULL; c = c->next)
			if (!c->ready && clock_ms() - c->started > HUNG_MS) {
				log_warning("%s pid %d is not ready after %d "
					    "seconds: killed",
				    c->program->name, (int)c->pid,
				    HUNG_MS / 1000);
				(void)kill(c->pid, SIGKILL);
			}
}

static void
child_ended(struct ev_loop *loop, ev_child *w, int events)
{
	struct child *c = service_child(&master, w->rpid);

	(void)loop;
	(void)events;
	if (c != NULL && (WIFEXITED(w->rstatus) || WIFSIGNALED(w->rstatus)))
		service_child_gone(c, w->rstatus);
}

static void
on_hangup(struct ev_loop *loop, ev_signal *w, int events)
{
	struct complaints c;

	(void)loop;
	(void)w;
	(void)events;
	if (master.stopping)
		return;
	complaints_init(&c);
	(void)reload_and_tell(&master, directory, &c);
	complaints_fini(&c);
}

static void
on_terminate(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	stop(&master, master.stopping);
}

static void
watch_signals_and_time(void)
{
	static ev_child children;
	static ev_timer hung;
	static ev_signal hangup, terminate, interrupt;

	ev_child_init(&children, child_ended, 0, 0);
	ev_child_start(master.loop, &children);
	ev_signal_init(&hangup, on_hangup, SIGHUP);
	ev_signal_start(master.loop, &hangup);
	ev_signal_init(&terminate, on_terminate, SIGTERM);
	ev_signal_start(master.loop, &terminate);
	ev_signal_init(&interrupt, on_terminate, SIGINT);
	ev_signal_start(master.loop, &interrupt);
	ev_timer_init(&hung, look_for_hung, HUNG_LOOK_S, HUNG_LOOK_S);
	ev_timer_start(master.loop, &hung);
	signal(SIGPIPE, SIG_IGN);
}

static void
start(void)
{
	struct complaints c;

	complaints_init(&c);
	master.loop = ev_default_loop(EVFLAG_AUTO);
	if (master.loop == NULL)
		fatal("no event loop");
	watch_signals_and_time();
	open_log_pipe();
	make_ticket_memory();
	log_open("posthaste/master", master.log_write);
	log_open_stderr("posthaste/master");
	log_crashes();
	master.on_ready = serving;
	master.on_failed = failed;
	if (!reload(&master, directory, &c) ||
	    !supervisor_open(&master, directory, &c.errors)) {
		log_open_stderr("master");
		log_lines(&c.warnings, log_warning);
		log_lines(&c.errors, log_error);
		fatal_status(EX_CONFIG, "nothing was started");
	}
	log_lines(&c.warnings, log_warning);
	complaints_fini(&c);
	renewal_start(&master);
	mend_start(&master);
	keep_tickets_short();
	ev_timer_init(&start_timer, start_late, START_S, 0);
	ev_timer_start(master.loop, &start_timer);
}

int
main(int argc, char **argv)
{
	const char *option = NULL;
	bool only_check = false;
	const char *report_as = NULL;
	int c;

	log_open_stderr("master");
	umask(077);
	clean_descriptors();
	while ((c = getopt(argc, argv, "c:CdR:wv")) != -1) {
		if (c == 'c')
			option = optarg;
		else if (c == 'C')
			only_check = true;
		else if (c == 'R')
			report_as = optarg;
		else if (c == 'd')
			foreground = true;
		else if (c == 'v')
			log_threshold(LEVEL_DEBUG);
		else if (c != 'w')
			usage();
	}
	if (optind < argc)
		usage();
	directory = realpath(conf_find_directory(option), NULL);
	if (directory == NULL)
		fatal_status(EX_CONFIG, "configuration directory %s: %m",
		    conf_find_directory(option));
	(void)setenv("MAIL_CONFIG", directory, 1);
	tzset();
	if (only_check)
		return check();
	if (report_as != NULL)
		return report(directory, strcmp(report_as, "json") == 0) ?
		    EXIT_SUCCESS :
		    EXIT_FAILURE;
	raise_limits();
	if (foreground)
		master.out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		go_to_background();
	start();
	ev_run(master.loop, 0);
	if (exit_status != EXIT_SUCCESS)
		show_unwritten_log();
	supervisor_close();
	return exit_status;
}
