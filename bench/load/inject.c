/* SPDX-License-Identifier: ISC */
/*
 * Starts a command again and again, each time with a message on its input, and
 * says how fast it was: for sendmail(1) of any server.
 *
 * usage: inject [-s number] [-m messages] [-d seconds] [-l bytes]
 *	[-g file] [-n process] command [argument...]
 *
 *	-s	so many commands at a time (1)
 *	-m, -d	ends after so many messages (1), or so many seconds
 *	-l	bytes of a message (4096)
 *	-g	a control group's cgroup.procs, which each command enters; up to
 *		two
 *	-n	the command runs in the mounts, process numbers and root of this
 *		process
 *
 * Prints messages, seconds, rate, and p50 p90 p99 max of one command, from
 * before fork(2) to its end, in milliseconds. A command that fails ends it.
 */
#include "bench/load/dial.h"
#include "bench/load/latency.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 72 };

static unsigned long workers = 1, most, size = 4096;
static double seconds;
static int groups[2] = { -1, -1 }, null = -1;
static char **command;
static atomic_ulong started;
static int64_t began;

struct worker {
	pthread_t thread;
	int message; /* its own place in the file, which a command moves */
	struct latency latency;
};

/* Only calls that are safe after fork(2) in a program with threads. */
__attribute__((noreturn)) static void
become_command(int message)
{
	for (int i = 0; i < 2; i++)
		if (groups[i] >= 0 && write(groups[i], "0", 1) != 1)
			_exit(126);
	if (dup2(message, 0) < 0 || dup2(null, 1) < 0)
		_exit(126);
	execv(command[0], command);
	_exit(127);
}

static void
run_one(struct worker *w)
{
	int64_t start = latency_now();
	pid_t child;
	int status;

	if (lseek(w->message, 0, SEEK_SET) < 0 || (child = fork()) < 0)
		die("fork: %s", strerror(errno));
	if (child == 0)
		become_command(w->message);
	if (waitpid(child, &status, 0) != child || status != 0)
		die("%s: wait status %d", command[0], status);
	latency_add(&w->latency, latency_now() - start);
}

static bool
goes_on(void)
{
	if (seconds > 0 && (double)(latency_now() - began) >= seconds * 1e6)
		return false;
	return most == 0 || atomic_fetch_add(&started, 1) < most;
}

static void *
work(void *argument)
{
	while (goes_on())
		run_one(argument);
	return NULL;
}

static int
make_message(void)
{
	static const char head[] =
	    "From: sender@bench.test\nTo: user0@bench.test\n"
	    "Subject: a message of a bench\n\n";
	char *text = mem_new(size + sizeof head);
	int fd = memfd_create("message", MFD_CLOEXEC);

	for (size_t i = 0; i < size; i++)
		text[i] = i % LINE == LINE - 1 ? '\n' : (char)('a' + i % 26);
	memcpy(text, head, size < sizeof head - 1 ? size : sizeof head - 1);
	text[size - 1] = '\n';
	if (fd < 0 || write(fd, text, size) != (ssize_t)size)
		die("message: %s", strerror(errno));
	free(text);
	return fd;
}

static int
open_again(int fd)
{
	char path[64];
	int own;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	own = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		die("%s: %s", path, strerror(errno));
	return own;
}

static int
open_of(const char *process, const char *what)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "/proc/%s/%s", process, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

/*
 * Our children are born there; but a thread must be where its process is, so
 * it is a child that goes on.
 */
static void
enter(const char *process)
{
	int mounts = open_of(process, "ns/mnt");
	int numbers = open_of(process, "ns/pid");
	int root = open_of(process, "root");
	int status;
	pid_t child;

	if (setns(numbers, CLONE_NEWPID) < 0 ||
	    setns(mounts, CLONE_NEWNS) < 0 || fchdir(root) < 0 ||
	    chroot(".") < 0)
		die("process %s: %s", process, strerror(errno));
	if ((child = fork()) < 0)
		die("fork: %s", strerror(errno));
	if (child == 0)
		return;
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		_exit(1);
	_exit(WEXITSTATUS(status));
}

static const char *
options(int argc, char **argv)
{
	const char *process = NULL;
	int c, g;

	while ((c = getopt(argc, argv, "+s:m:d:l:g:n:")) != -1) {
		switch (c) {
		case 's':
			workers = strtoul(optarg, NULL, 10);
			break;
		case 'm':
			most = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			seconds = atof(optarg);
			break;
		case 'l':
			size = strtoul(optarg, NULL, 10);
			break;
		case 'g':
			g = groups[0] >= 0;
			groups[g] = open(optarg, O_WRONLY | O_CLOEXEC);
			if (groups[g] < 0)
				die("%s: %s", optarg, strerror(errno));
			break;
		case 'n':
			process = optarg;
			break;
		default:
			die("usage: see the head of bench/load/inject.c");
		}
	}
	if (optind == argc || workers == 0 || size == 0)
		die("which command?");
	if (most == 0 && seconds <= 0)
		most = 1;
	command = argv + optind;
	return process;
}

static void
results(struct worker *w)
{
	double took = (double)(latency_now() - began) / 1e6;
	struct latency all = { 0 };

	for (unsigned long i = 0; i < workers; i++) {
		latency_join(&all, &w[i].latency);
		latency_free(&w[i].latency);
	}
	printf("messages %zu\nseconds %.6f\nrate %.3f\n", all.count, took,
	    (double)all.count / took);
	latency_print(&all, "");
	latency_free(&all);
}

int
main(int argc, char **argv)
{
	const char *process = options(argc, argv);
	struct worker *w = mem_array(workers, sizeof *w);
	int message = make_message();

	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (unsigned long i = 0; i < workers; i++)
		w[i].message = open_again(message);
	if (process != NULL)
		enter(process);
	began = latency_now();
	for (unsigned long i = 0; i < workers; i++)
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			die("no thread");
	for (unsigned long i = 0; i < workers; i++)
		pthread_join(w[i].thread, NULL);
	results(w);
	free(w);
	return 0;
}
