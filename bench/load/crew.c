/* SPDX-License-Identifier: ISC */
#include "bench/load/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	pthread_barrier_t ready;
	void (*prepare)(struct session *s);
	void (*work)(struct session *s);
} crew;

static void *
run(void *argument)
{
	struct session *s = argument;

	if (crew.prepare != NULL)
		crew.prepare(s);
	s->wire.bytes = 0;
	pthread_barrier_wait(&crew.ready);
	s->began = latency_now();
	crew.work(s);
	s->ended = latency_now();
	return NULL;
}

static struct session *
hire(int number, int sessions, int total)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		wire_fail("no memory");
	s->number = number;
	s->share = total / sessions + (number < total % sessions);
	s->wire.fd = -1;
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		wire_fail("no thread");
	return s;
}

static void
report(double seconds, uint64_t done, uint64_t bytes, struct latency *all)
{
	printf("seconds %.6f\ncount %llu\nbytes %llu\n", seconds,
	    (unsigned long long)done, (unsigned long long)bytes);
	latency_print(all, "");
	fflush(stdout);
}

void
crew_run(int sessions, int total, void (*prepare)(struct session *s),
    void (*work)(struct session *s))
{
	struct session **all = calloc((size_t)sessions, sizeof(*all));
	struct latency sum = { 0 };
	uint64_t done = 0, bytes = 0;
	int64_t began = INT64_MAX, ended = 0;

	if (all == NULL ||
	    pthread_barrier_init(&crew.ready, NULL, (unsigned int)sessions) !=
		0)
		wire_fail("no memory");
	crew.prepare = prepare;
	crew.work = work;
	for (int i = 0; i < sessions; i++)
		all[i] = hire(i, sessions, total);
	for (int i = 0; i < sessions; i++) {
		pthread_join(all[i]->thread, NULL);
		done += all[i]->done;
		bytes += all[i]->wire.bytes;
		if (all[i]->began < began)
			began = all[i]->began;
		if (all[i]->ended > ended)
			ended = all[i]->ended;
		latency_join(&sum, &all[i]->took);
		latency_free(&all[i]->took);
		free(all[i]);
	}
	report((double)(ended - began) / 1e6, done, bytes, &sum);
	latency_free(&sum);
	free(all);
}

void
crew_fill(char *to, size_t room, const char *pattern, int number)
{
	const char *mark = strstr(pattern, "%d");
	int n;

	if (mark == NULL)
		n = snprintf(to, room, "%s", pattern);
	else
		n = snprintf(to, room, "%.*s%d%s", (int)(mark - pattern),
		    pattern, number, mark + 2);
	if (n < 0 || (size_t)n >= room)
		wire_fail("too long: %s", pattern);
}

int
crew_number(const char *argument)
{
	char *end;
	long n = strtol(argument, &end, 10);

	if (end == argument || *end != '\0' || n < 0 || n > 1000000000)
		wire_fail("not a number: %s", argument);
	return (int)n;
}
