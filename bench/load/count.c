/* SPDX-License-Identifier: ISC */
/*
 * Counts what the processes of a control group do: context switches, system
 * calls, flushes of the disk.
 *
 * usage: count folder
 *
 * The folder is the group's, of cgroup2. Perf events of the group, one on each
 * processor, so the dead are counted, and programs that run set-uid (events
 * that children inherit end there). Prints "ready 1", then for each line of its
 * input lines of a name and a number, and an empty one; ends with its input.
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSORS = 512 };

/* Several events of one name are added up. */
static struct event {
	const char *name;
	const char *tracepoint; /* below events/; NULL: context switches */
	long long id;
	const char *filter; /* on the arguments of a call; NULL: all */
} events[] = {
	{ "switches", NULL, PERF_COUNT_SW_CONTEXT_SWITCHES, NULL },
	{ "syscalls", "raw_syscalls/sys_enter", -1, NULL },
	{ "flushes", "syscalls/sys_enter_fsync", -1, NULL },
	{ "flushes", "syscalls/sys_enter_fdatasync", -1, NULL },
	{ "flushes", "syscalls/sys_enter_sync", -1, NULL },
	{ "flushes", "syscalls/sys_enter_syncfs", -1, NULL },
	{ "flushes", "syscalls/sys_enter_msync", -1, NULL },
	/* SYNC_FILE_RANGE_WAIT_AFTER: one that begins writing is no wait */
	{ "waits", "syscalls/sys_enter_sync_file_range", -1, "flags & 4" },
};
enum { EVENTS = sizeof events / sizeof events[0] };

static int counters[EVENTS][PROCESSORS];
static int processors;

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

static int
open_event(int event, int folder, int processor)
{
	struct perf_event_attr a = { .size = sizeof a,
		.type = events[event].tracepoint == NULL ? PERF_TYPE_SOFTWARE :
							   PERF_TYPE_TRACEPOINT,
		.config = (unsigned long long)events[event].id };
	int fd = (int)syscall(SYS_perf_event_open, &a, folder, processor, -1,
	    PERF_FLAG_PID_CGROUP | PERF_FLAG_FD_CLOEXEC);

	if (fd < 0 && errno != ENODEV) /* a processor that is off */
		die("perf_event_open: %s", strerror(errno));
	if (fd >= 0 && events[event].filter != NULL &&
	    ioctl(fd, PERF_EVENT_IOC_SET_FILTER, events[event].filter) != 0)
		die("filter of %s: %s", events[event].tracepoint,
		    strerror(errno));
	return fd;
}

static void
open_events(const char *path)
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		die("%s: %s", path, strerror(errno));
	processors = (int)sysconf(_SC_NPROCESSORS_CONF);
	if (processors > PROCESSORS)
		die("%d processors", processors);
	for (int e = 0; e < EVENTS; e++) {
		if (events[e].id < 0)
			die("no tracepoint %s", events[e].tracepoint);
		for (int p = 0; p < processors; p++)
			counters[e][p] = open_event(e, folder, p);
	}
}

static unsigned long long
count_of(int event)
{
	unsigned long long sum = 0, value;

	for (int p = 0; p < processors; p++) {
		if (counters[event][p] < 0)
			continue;
		if (read(counters[event][p], &value, sizeof value) !=
		    (ssize_t)sizeof value)
			die("read: %s", strerror(errno));
		sum += value;
	}
	return sum;
}

static void
answer(void)
{
	unsigned long long sum = 0;

	for (int e = 0; e < EVENTS; e++) {
		sum += count_of(e);
		if (e + 1 < EVENTS &&
		    strcmp(events[e].name, events[e + 1].name) == 0)
			continue;
		printf("%s %llu\n", events[e].name, sum);
		sum = 0;
	}
	puts("");
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	char line[16];

	if (argc != 2)
		die("usage: count folder");
	find_ids();
	open_events(argv[1]);
	puts("ready 1");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL)
		answer();
	return 0;
}
