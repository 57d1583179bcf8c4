/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: a tool of the tests, never installed. It runs as whoever tests,
 * traces what it has started itself, and believes its own tests.
 *
 * Starts a command, and ends a program that comes of it at a system call that
 * changes something: the n-th from a moment on, of any process of a name.
 *
 * usage: crasher FD COMMAND [ARGUMENT...]
 *
 * FD is a socket. What is asked there, a line each, and what is answered:
 *
 *	run			starts the command
 *	arm NAME N		from now on N points are counted in programs
 *				of this name, "*" in all; "armed"; of 0 none is
 *				the last, and each is noted
 *	disarm			no longer; "point NAME HOW CALL WHERE" for each
 *				that was noted, then "counted N"
 *	record PATH		all changes and all that is told goes there
 *				(record.h); "recording"
 *	recorded		no longer; "recorded N", how many events
 *
 * and what is told without being asked:
 *
 *	killed PID NAME POINT HOW CALL WHERE	HOW: before or amid
 *	ended STATUS		of the command, as wait(2) has it
 *
 * A point is the entry of a call (calls.def), or, where it writes, the moment
 * when half of it is written. Ends when the socket is closed; what still runs
 * of the command is killed then (PTRACE_O_EXITKILL).
 */
#include "tests/crash/calls.h"
#include "tests/crash/record.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 400, NAME = CALLS_PROGRAM, HALVED = 8, HELD = 200 };

static int control = -1;
static pid_t command;
static int gate[2]; /* closed: the command begins */

static char armed[NAME];
static unsigned long counted, wanted; /* 0: nothing is to be killed */

/* Points, told at the end: meanwhile nobody may be reading. */
static FILE *notes;
static char *noted;
static size_t noted_n;

/* Processes that write half of what they wanted, and end behind it. */
static pid_t halved[HALVED];

/* While changes are recorded: who is amid one, and who waits for its end. */
static bool recording;
static pid_t amid;
static pid_t held[HELD];
static size_t held_n;

__attribute__((format(printf, 1, 2))) static void
tell(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vdprintf(control, format, ap);
	va_end(ap);
}

static void
go_on(pid_t pid, int request, int signal)
{
	(void)ptrace(request, pid, NULL, signal);
}

static pid_t *
slot_of(pid_t pid)
{
	for (size_t i = 0; i < HALVED; i++)
		if (halved[i] == pid)
			return &halved[i];
	return NULL;
}

static void
report(const struct call *call, const char *how)
{
	char where[200], name[NAME];

	calls_program(call->pid, name);
	calls_where(call, where, sizeof(where));
	tell("killed %d %s %lu %s %s %s\n", (int)call->pid, name, wanted, how,
	    call->name, where);
}

static void
note(const struct call *call, const char *program, unsigned int points)
{
	char where[200];

	if (notes == NULL)
		return;
	calls_where(call, where, sizeof(where));
	fprintf(notes, "point %s before %s %s\n", program, call->name, where);
	if (points == 2)
		fprintf(notes, "point %s amid %s %s\n", program, call->name,
		    where);
}

/* The name of a process's program, if it is one whose points are counted. */
static bool
is_armed(pid_t pid, char name[NAME])
{
	if (armed[0] == '\0')
		return false;
	calls_program(pid, name);
	return strcmp(armed, "*") == 0 || strcmp(armed, name) == 0;
}

static void
begin_notes(void)
{
	notes = open_memstream(&noted, &noted_n);
	if (notes == NULL)
		exit(2);
}

static void
tell_notes(void)
{
	if (notes == NULL)
		return;
	if (fclose(notes) != 0)
		exit(2);
	notes = NULL;
	tell("%s", noted);
	free(noted);
}

/* At the entry of a call that is to be recorded, when it is its turn. */
static void
recorded_entry(pid_t pid)
{
	struct call call;

	if (!recording) {
		go_on(pid, PTRACE_CONT, 0);
	} else if (amid != 0) {
		if (held_n == HELD)
			exit(2);
		held[held_n++] = pid;
	} else if (calls_entered(pid, &call) && record_entered(&call)) {
		amid = pid;
		go_on(pid, PTRACE_SYSCALL, 0);
	} else {
		go_on(pid, PTRACE_CONT, 0);
	}
}

/* Who was amid a change is through, or gone: those who waited for it try. */
static void
next_entry(void)
{
	size_t n = held_n;
	pid_t waiting[HELD];

	amid = 0;
	held_n = 0;
	memcpy(waiting, held, n * sizeof(*held));
	for (size_t i = 0; i < n; i++)
		recorded_entry(waiting[i]);
}

static void
gone(pid_t pid)
{
	pid_t *slot = slot_of(pid);

	if (slot != NULL)
		*slot = 0;
	for (size_t i = 0; i < held_n; i++)
		if (held[i] == pid)
			held[i--] = held[--held_n];
	if (pid == amid)
		next_entry();
}

/* At the entry of a call that may be the one. */
static void
entered(pid_t pid)
{
	char name[NAME];
	struct call call;
	unsigned int points;

	if (recording) {
		recorded_entry(pid);
		return;
	}

	if (!is_armed(pid, name) || !calls_entered(pid, &call)) {
		go_on(pid, PTRACE_CONT, 0);
		return;
	}
	points = calls_points(&call);
	counted += points;
	note(&call, name, points);
	if (wanted == 0 || counted < wanted) {
		go_on(pid, PTRACE_CONT, 0);
	} else if (points == 2 && counted == wanted && slot_of(0) != NULL) {
		report(&call, "amid");
		wanted = 0;
		*slot_of(0) = pid;
		calls_halve(&call);
		go_on(pid, PTRACE_SYSCALL, 0);
	} else {
		report(&call, "before");
		wanted = 0;
		(void)kill(pid, SIGKILL);
	}
}

static void
left(pid_t pid)
{
	pid_t *slot = slot_of(pid);

	if (pid == amid) {
		if (recording)
			record_left(calls_result(pid));
		go_on(pid, PTRACE_CONT, 0);
		next_entry();
		return;
	}
	if (slot == NULL) {
		go_on(pid, PTRACE_CONT, 0);
		return;
	}
	*slot = 0;
	(void)kill(pid, SIGKILL);
}

static void
stopped(pid_t pid, int status)
{
	int signal = WSTOPSIG(status);

	switch (status >> 16) {
	case PTRACE_EVENT_SECCOMP:
		entered(pid);
		return;
	case PTRACE_EVENT_STOP:
		/* held by somebody, or new */
		go_on(pid, signal == SIGTRAP ? PTRACE_CONT : PTRACE_LISTEN, 0);
		return;
	case 0:
		if (signal == (SIGTRAP | 0x80))
			left(pid);
		else
			go_on(pid, PTRACE_CONT, signal);
		return;
	default:
		go_on(pid, PTRACE_CONT, 0);
	}
}

/* Whatever processes have to say. */
static void
look(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		if (WIFSTOPPED(status)) {
			stopped(pid, status);
			continue;
		}
		gone(pid);
		if (pid == command)
			tell("ended %d\n", status);
	}
}

static void
asked(const char *line)
{
	char path[LINE];

	if (strcmp(line, "run") == 0) {
		close(gate[1]);
	} else if (strcmp(line, "recorded") == 0) {
		recording = false;
		tell("recorded %lu\n", record_end());
	} else if (sscanf(line, "record %399s", path) == 1) {
		record_begin(path);
		recording = true;
		tell("recording\n");
	} else if (sscanf(line, "arm %15s %lu", armed, &wanted) == 2) {
		counted = 0;
		if (wanted == 0)
			begin_notes();
		tell("armed\n");
	} else if (strcmp(line, "disarm") == 0) {
		armed[0] = '\0';
		wanted = 0;
		tell_notes();
		tell("counted %lu\n", counted);
	} else {
		fprintf(stderr, "crasher: what is \"%s\"?\n", line);
		exit(2);
	}
}

/* False: nobody asks any more. */
static bool
read_control(void)
{
	static char text[LINE];
	static size_t have;
	ssize_t n = read(control, text + have, sizeof(text) - 1 - have);
	char *end;

	if (n <= 0)
		return false;
	have += (size_t)n;
	text[have] = '\0';
	while ((end = strchr(text, '\n')) != NULL) {
		*end = '\0';
		asked(text);
		have -= (size_t)(end + 1 - text);
		memmove(text, end + 1, have + 1);
	}
	return true;
}

static void
start(char **arguments)
{
	sigset_t none;
	char byte;

	if (pipe(gate) != 0 || (command = fork()) < 0)
		exit(2);
	if (command > 0) {
		close(gate[0]);
		return;
	}
	close(gate[1]);
	close(control);
	while (read(gate[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(gate[0]);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!calls_filter()) {
		perror("crasher: filter");
		_exit(126);
	}
	execvp(arguments[0], arguments);
	perror(arguments[0]);
	_exit(127);
}

int
main(int argc, char **argv)
{
	enum {
		OPTIONS = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK |
		    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		    PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL
	};
	struct signalfd_siginfo told;
	struct pollfd p[2];
	sigset_t children;

	if (argc < 3) {
		fprintf(stderr, "usage: crasher FD COMMAND [ARGUMENT...]\n");
		return 2;
	}
	control = atoi(argv[1]);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	start(argv + 2);
	if (ptrace(PTRACE_SEIZE, command, NULL, OPTIONS) != 0) {
		perror("crasher: PTRACE_SEIZE");
		return 2;
	}
	p[0] = (struct pollfd){ .fd = control, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = signalfd(-1, &children, SFD_CLOEXEC),
		.events = POLLIN };
	while (poll(p, 2, -1) >= 0 || errno == EINTR) {
		if (p[1].revents != 0)
			(void)!read(p[1].fd, &told, sizeof(told));
		look();
		if (p[0].revents != 0 && !read_control())
			break;
	}
	return 0;
}
