/* SPDX-License-Identifier: ISC */
#include "bench/load/crew.h"

#include "lib/base/mem.h"
#include "lib/task/task.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	const struct mode *mode;
	double seconds;
	int preparing;
	struct wait_queue ready;
	int64_t began, ended, until;
	int done;
	struct latency took;
} crew;

struct crew_options
crew_options(int argc, char **argv)
{
	struct crew_options o = { .password = "bench" };
	int c;

	while ((c = getopt(argc, argv, "+w:u:d:")) != -1) {
		if (c == 'w')
			o.password = optarg;
		else if (c == 'u')
			o.first = crew_number(optarg);
		else if (c == 'd')
			o.seconds = atof(optarg);
		else
			exit(64);
	}
	if (argc - optind < 5)
		die("usage: %s [-w PASSWORD] [-u FIRST] [-d SECONDS] PORT "
		    "MODE NAMES SESSIONS COUNT [MORE...]",
		    argv[0]);
	o.port = (uint16_t)crew_number(argv[optind]);
	o.mode = argv[optind + 1];
	o.names = argv[optind + 2];
	o.sessions = crew_number(argv[optind + 3]);
	o.total = crew_number(argv[optind + 4]);
	o.more = argv + optind + 5;
	o.more_count = argc - optind - 5;
	return o;
}

void
crew_done(int number)
{
	crew.done += number;
}

void
crew_took(int64_t start)
{
	latency_add(&crew.took, latency_now() - start);
	crew.done++;
}

bool
crew_more(const struct session *s, int done)
{
	return done < s->share && latency_now() < crew.until;
}

void
crew_dial(struct session *s, const struct crew_options *o)
{
	s->io = dial(o->port);
	if (s->io == NULL)
		die("connect: %s", strerror(errno));
}

/* Nobody works before all are prepared. */
static void
start_together(void)
{
	if (--crew.preparing > 0) {
		(void)wait_on(&crew.ready, INT64_MAX);
		return;
	}
	crew.began = latency_now();
	if (crew.seconds > 0)
		crew.until = crew.began + (int64_t)(crew.seconds * 1e6);
	wait_wake_all(&crew.ready);
}

static void
work(struct session *s)
{
	int64_t start;

	if (crew.mode->work != NULL)
		crew.mode->work(s);
	else
		for (int i = 0; crew_more(s, i); i++) {
			start = latency_now();
			crew.mode->each(s, i);
			crew_took(start);
		}
}

static void
run(void *argument)
{
	struct session *s = argument;

	if (crew.mode->prepare != NULL)
		crew.mode->prepare(s);
	start_together();
	work(s);
	crew.ended = latency_now();
	stream_free(&s->io);
	free(s);
}

static void
hire(const struct crew_options *o, int i)
{
	struct session *s = mem_new(sizeof *s);

	s->number = o->first + i;
	s->share = o->total / o->sessions + (i < o->total % o->sessions);
	if (task_start(run, s) == NULL)
		die("session %d: %s", i, strerror(errno));
}

static const struct mode *
find(const struct mode *modes, const char *name)
{
	for (; modes->name != NULL; modes++)
		if (strcmp(modes->name, name) == 0)
			return modes;
	die("no mode %s", name);
}

void
crew_run(const struct crew_options *o, const struct mode *modes)
{
	signal(SIGPIPE, SIG_IGN);
	dial_descriptors((unsigned int)o->sessions + 64);
	crew.mode = find(modes, o->mode);
	crew.preparing = o->sessions;
	crew.until = INT64_MAX;
	crew.seconds = o->seconds;
	for (int i = 0; i < o->sessions; i++)
		hire(o, i);
	task_loop();
	printf("seconds %.6f\ncount %d\n",
	    (double)(crew.ended - crew.began) / 1e6, crew.done);
	latency_print(&crew.took, "");
	latency_free(&crew.took);
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
		die("too long: %s", pattern);
}

int
crew_number(const char *argument)
{
	char *end;
	long n = strtol(argument, &end, 10);

	if (end == argument || *end != '\0' || n < 0 || n > 1000000000)
		die("not a number: %s", argument);
	return (int)n;
}
