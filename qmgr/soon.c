/* SPDX-License-Identifier: ISC */
#include "qmgr/soon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/clock.h"
#include "lib/queue/queue_file.h"
#include "lib/task/task.h"
#include "qmgr/admit.h"
#include "qmgr/scan.h"

enum {
	SOON_MAX = 1000, /* for more than that all is looked through */
	CLOSES_MS = 20, /* the agent its file, behind its answer */
};

struct one {
	struct one *prev, *next;
	int64_t when;
	const char *queue;
	bool asked; /* by a person */
	int64_t pause; /* milliseconds, should it be in use */
	char id[QUEUE_ID_MAX];
};

static struct {
	struct task *task;
	struct wait_queue wanted;
	struct one *list; /* by time */
	size_t count;
	bool more; /* the list was full */
} soon;

static int
by_time(const struct one *a, const struct one *b)
{
	return a->when < b->when ? -1 : a->when > b->when;
}

static struct one *
find(const char *id)
{
	struct one *s;

	DL_FOREACH (soon.list, s)
		if (strcmp(s->id, id) == 0)
			break;
	return s;
}

/* Of what does not fit into the list the queues know that it is due. */
static struct one *
add(const char *id)
{
	struct one *s;

	if (soon.count >= SOON_MAX)
		soon.more = true;
	if (soon.count >= SOON_MAX || soon.task == NULL)
		return NULL;
	s = mem_new(sizeof(*s));
	s->pause = CLOSES_MS;
	snprintf(s->id, sizeof(s->id), "%s", id);
	soon.count++;
	return s;
}

static struct one *
note(const char *queue, const char *id, int64_t when, bool asked)
{
	struct one *s = find(id);

	if (s != NULL && !asked)
		return s;
	if (s != NULL) {
		DL_DELETE(soon.list, s);
		when = when < s->when ? when : s->when;
	} else {
		s = add(id);
	}
	if (s == NULL)
		return NULL;
	s->queue = queue;
	s->asked = asked;
	s->when = when;
	DL_INSERT_INORDER(soon.list, s, by_time);
	wait_wake_one(&soon.wanted);
	return s;
}

/* At first by the agent of the attempt that has just failed, for an instant. */
static void
in_use(const struct one *was)
{
	struct one *s;

	s = note(was->queue, was->id, clock_ms() + was->pause, true);
	if (s != NULL && was->pause < SOON_S * 1000)
		s->pause = was->pause * 2;
}

static void
try(struct one *s)
{
	enum admitted result = ADMIT_LATER;

	DL_DELETE(soon.list, s);
	soon.count--;
	if (admit_room(true))
		result = admit_file(s->queue, s->id, s->asked);
	if (result == ADMIT_LATER)
		note(s->queue, s->id, clock_in(SOON_S), s->asked);
	if (result == ADMIT_IN_USE && s->asked)
		in_use(s);
	/* put off by the qmgr before us, whose attempt is too old */
	if (result == ADMIT_GONE && s->asked &&
	    strcmp(s->queue, "incoming") == 0)
		note("deferred", s->id, clock_ms(), true);
	free(s);
	if (soon.list == NULL && soon.more) {
		soon.more = false;
		scan_incoming();
		scan_deferred();
	}
}

static void
work(void *nothing)
{
	(void)nothing;
	for (;;) {
		struct one *s = soon.list;
		int64_t when = s != NULL ? s->when : clock_in(3600);

		if (wait_on(&soon.wanted, when) == WAIT_CANCELLED)
			break;
		if (s != NULL && clock_ms() >= s->when)
			try(s);
	}
	soon.task = NULL;
}

void
soon_again(const char *queue, const char *id)
{
	note(queue, id, clock_in(SOON_S), false);
}

void
soon_in_use(const char *queue, const char *id)
{
	note(queue, id, clock_in(SOON_S), scan_flushed() != 0);
}

void
soon_now(const char *queue, const char *id)
{
	note(queue, id, clock_ms(), true);
}

void
soon_ask(void)
{
	struct one *s;

	DL_FOREACH (soon.list, s)
		s->asked = true;
}

void
soon_hurry(void)
{
	struct one *s;

	DL_FOREACH (soon.list, s)
		s->when = clock_ms();
	wait_wake_one(&soon.wanted);
}

void
soon_start(void)
{
	soon.task = task_start(work, NULL);
}

void
soon_stop(void)
{
	if (soon.task != NULL)
		task_cancel(soon.task);
}

bool
soon_busy(void)
{
	return soon.task != NULL;
}
