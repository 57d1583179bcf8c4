/* SPDX-License-Identifier: ISC */
/*
 * How many messages a second the disk alone could make durable: threads that
 * each create a file, write it and call fsync(2), and nothing else.
 *
 * usage: disk_limit folder threads bytes seconds
 *
 * Prints messages, seconds, rate, and p50 p90 p99 max of one file in
 * milliseconds. The files stay: on ext4 without a journal the next ones would
 * else pass over those that were just removed.
 */
#include "bench/load/dial.h"
#include "bench/load/latency.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int folder;
static size_t bytes;
static const char *content;
static int64_t until;

struct writer {
	pthread_t thread;
	unsigned int number;
	struct latency latency;
};

static void
write_one(unsigned int thread, size_t file)
{
	char name[64];
	size_t at = 0;
	ssize_t n;
	int fd;

	snprintf(name, sizeof name, "%u.%zu", thread, file);
	fd =
	    openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	for (; at < bytes; at += (size_t)n)
		if ((n = write(fd, content + at, bytes - at)) < 0)
			die("write: %s", strerror(errno));
	if (fsync(fd) < 0 || close(fd) < 0)
		die("fsync: %s", strerror(errno));
}

static void *
write_many(void *argument)
{
	struct writer *w = argument;
	int64_t start;

	for (size_t i = 0; (start = latency_now()) < until; i++) {
		write_one(w->number, i);
		latency_add(&w->latency, latency_now() - start);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	struct latency all = { 0 };
	struct writer *writers;
	unsigned int threads;
	int64_t began;
	double took;
	char *filled;

	if (argc != 5 || atoi(argv[2]) < 1)
		die("usage: disk_limit folder threads bytes seconds");
	folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		die("%s: %s", argv[1], strerror(errno));
	threads = (unsigned int)atoi(argv[2]);
	bytes = strtoul(argv[3], NULL, 10);
	filled = mem_new(bytes + 1);
	memset(filled, 'a', bytes);
	content = filled;
	writers = mem_array(threads, sizeof *writers);
	began = latency_now();
	until = began + (int64_t)(atof(argv[4]) * 1e6);
	for (unsigned int i = 0; i < threads; i++) {
		writers[i].number = i;
		if (pthread_create(&writers[i].thread, NULL, write_many,
			&writers[i]) != 0)
			die("no thread");
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(writers[i].thread, NULL);
		latency_join(&all, &writers[i].latency);
		latency_free(&writers[i].latency);
	}
	took = (double)(latency_now() - began) / 1e6;
	printf("messages %zu\nseconds %.6f\nrate %.3f\n", all.count, took,
	    (double)all.count / took);
	latency_print(&all, "");
	latency_free(&all);
	free(writers);
	free(filled);
	return 0;
}
