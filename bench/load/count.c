/* SPDX-License-Identifier: ISC */
/*
 * Runs a command and counts what it and everything that it ever starts does:
 * context switches, system calls, flushes of the disk.
 *
 * usage: count socket command [argument...]
 *
 * Perf events that children inherit, so it counts the dead and those that went
 * into the background as well, and stops nobody. Answers at the UNIX socket:
 * a connection that sends "r" gets lines of a name and a number; "q" ends it.
 * Wants root; tracefs is mounted for a moment in a namespace of its own.
 */
#include "bench/load/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Several events of one name are added up. */
static struct event {
	const char *name;
	const char *tracepoint; /* below events/; NULL: context switches */
	long long id;
	int fd;
} events[] = {
	{ "switches", NULL, PERF_COUNT_SW_CONTEXT_SWITCHES, -1 },
	{ "syscalls", "raw_syscalls/sys_enter", -1, -1 },
	{ "flushes", "syscalls/sys_enter_fsync", -1, -1 },
	{ "flushes", "syscalls/sys_enter_fdatasync", -1, -1 },
	{ "flushes", "syscalls/sys_enter_sync", -1, -1 },
	{ "flushes", "syscalls/sys_enter_syncfs", -1, -1 },
	{ "flushes", "syscalls/sys_enter_msync", -1, -1 },
};
enum { EVENTS = sizeof events / sizeof events[0] };

static long long
read_id(const char *tracepoint)
{
	char path[256], text[32] = "";
	int fd;

	snprintf(path, sizeof path, "/sys/kernel/tracing/events/%s/id",
	    tracepoint);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof text - 1) <= 0)
		text[0] = '\0';
	close(fd);
	return text[0] == '\0' ? -1 : atoll(text);
}

/* In a child, whose mount nobody else sees. */
static void
read_ids(int to)
{
	long long ids[EVENTS];

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("unshare: %s", strerror(errno));
	if (access("/sys/kernel/tracing/events", F_OK) < 0 &&
	    mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) < 0)
		die("tracefs: %s", strerror(errno));
	for (int i = 0; i < EVENTS; i++)
		ids[i] = events[i].tracepoint == NULL ?
		    events[i].id :
		    read_id(events[i].tracepoint);
	if (write(to, ids, sizeof ids) != (ssize_t)sizeof ids)
		_exit(1);
	_exit(0);
}

static void
find_ids(void)
{
	long long ids[EVENTS];
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0 || (child = fork()) < 0)
		die("fork: %s", strerror(errno));
	if (child == 0)
		read_ids(ends[1]);
	close(ends[1]);
	if (read(ends[0], ids, sizeof ids) != (ssize_t)sizeof ids)
		die("no tracepoints");
	close(ends[0]);
	waitpid(child, NULL, 0);
	for (int i = 0; i < EVENTS; i++)
		events[i].id = ids[i];
}

/* On that process from its exec(2) on, and on all that it starts. */
static void
open_events(pid_t of)
{
	for (int i = 0; i < EVENTS; i++) {
		struct perf_event_attr a = { .size = sizeof a,
			.type = events[i].tracepoint == NULL ?
			    PERF_TYPE_SOFTWARE :
			    PERF_TYPE_TRACEPOINT,
			.config = (unsigned long long)events[i].id,
			.disabled = 1,
			.enable_on_exec = 1,
			.inherit = 1 };

		if (events[i].id < 0)
			die("no tracepoint %s", events[i].tracepoint);
		events[i].fd = (int)syscall(SYS_perf_event_open, &a, of, -1, -1,
		    PERF_FLAG_FD_CLOEXEC);
		if (events[i].fd < 0)
			die("perf_event_open: %s", strerror(errno));
	}
}

static void
answer(int fd)
{
	unsigned long long sum = 0, value;

	for (int i = 0; i < EVENTS; i++) {
		if (read(events[i].fd, &value, sizeof value) !=
		    (ssize_t)sizeof value)
			die("read: %s", strerror(errno));
		sum += value;
		if (i + 1 < EVENTS &&
		    strcmp(events[i].name, events[i + 1].name) == 0)
			continue;
		dprintf(fd, "%s %llu\n", events[i].name, sum);
		sum = 0;
	}
}

static int
listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof a.sun_path)
		die("%s: too long", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
	    listen(fd, 16) < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void
serve(int listener)
{
	char what = '\0';
	int fd;

	while (what != 'q') {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, &what, 1) == 1 && what == 'r')
			answer(fd);
		close(fd);
	}
}

/*
 * A process of its own that is nobody's child, so that the command finds none
 * that it did not start. "go" is closed when it counts.
 */
static void
count(const char *path, pid_t of, int go)
{
	int listener, null;

	if (fork() != 0)
		_exit(0);
	(void)setsid();
	listener = listen_at(path);
	find_ids();
	open_events(of);
	if (write(go, "g", 1) != 1)
		_exit(1);
	close(go);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	serve(listener);
	_exit(0);
}

int
main(int argc, char **argv)
{
	pid_t self = getpid(), child;
	int ends[2];
	char byte;

	if (argc < 3)
		die("usage: count socket command [argument...]");
	if (pipe2(ends, O_CLOEXEC) < 0 || (child = fork()) < 0)
		die("fork: %s", strerror(errno));
	if (child == 0) {
		close(ends[0]);
		count(argv[1], self, ends[1]);
	}
	close(ends[1]);
	(void)waitpid(child, NULL, 0);
	if (read(ends[0], &byte, 1) != 1)
		die("count: nothing is counted");
	close(ends[0]);
	execvp(argv[2], argv + 2);
	die("%s: %s", argv[2], strerror(errno));
}
