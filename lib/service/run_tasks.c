/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: strangers decide how many connections there are; maxproc bounds
 * the sessions of all processes of the service together, and those that are
 * too many wait in the listener's queue.
 */
#include "lib/service/internal.h"

#include <limits.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

enum {
	CROWDED = 4, /* sessions; from here on another process may help */
	ACCEPT_BATCH = 16,
	ACCEPT_FOR_OTHERS = 4,
	SHARE_SLACK = 2, /* sessions; and an eighth */
	SHARE_PAUSE_MS = 2,
	LAST_BATCHES = 64,
	LIMIT_WAIT_MS = 200, /* another process's session may have ended */
	LIMIT_LOG_MS = 60000,
};

struct session {
	struct session *next, **link;
	struct running *running;
	struct task *task;
	int fd;
};

struct acceptor {
	struct running *running;
	size_t index;
	struct task *task;
};

static struct {
	struct session *sessions;
	size_t count;
	struct wait_queue ended;
	struct acceptor acceptors[SERVICE_LISTENERS_MAX];
	int64_t last_end;
	int64_t last_full;
	int64_t last_limit_log;
	bool leaving; /* tasks_leave() */
	bool ending; /* a connection that comes now is for the next process */
} tasks;

static bool
accepting(void)
{
	for (size_t i = 0; i < SERVICE_LISTENERS_MAX; i++)
		if (tasks.acceptors[i].task != NULL)
			return true;
	return false;
}

static bool
no_more(void)
{
	return control_retiring() || tasks.leaving || tasks.ending;
}

static void
update_state(void)
{
	bool crowded = tasks.count >= CROWDED;

	if (no_more()) {
		if (!accepting())
			slots_state(SLOT_RETIRING);
		return;
	}
	slots_state(crowded ? SLOT_FULL : SLOT_IDLE);
	if (crowded && clock_ms() - tasks.last_full >= 1000 &&
	    !slots_other_idle()) {
		tasks.last_full = clock_ms();
		control_full((unsigned int)tasks.count);
	}
}

static void
end_if_done(void)
{
	if (no_more() && tasks.count == 0 && !accepting()) {
		tasks.ending = true;
		task_loop_stop();
	}
}

static void
session_task(void *argument)
{
	struct session *s = argument;

	s->running->spec->session(&s->running->service, s->fd);
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	free(s);
	tasks.count--;
	tasks.last_end = clock_ms();
	slots_sessions(-1);
	update_state();
	wait_wake_all(&tasks.ended);
	end_if_done();
}

static void
start_session(struct running *r, int fd)
{
	struct session *s = mem_new(sizeof(*s));

	s->running = r;
	s->fd = fd;
	s->task = task_start(session_task, s);
	if (s->task == NULL) {
		log_warning("no memory for another session");
		fd_close(&fd);
		free(s);
		return;
	}
	s->link = &tasks.sessions;
	s->next = tasks.sessions;
	if (s->next != NULL)
		s->next->link = &s->next;
	tasks.sessions = s;
	tasks.count++;
	slots_sessions(1);
	update_state();
}

static bool
at_limit(const struct running *r)
{
	int64_t max = r->service.maxproc;

	if (max == 0 || slots_all_sessions() < max)
		return false;
	if (clock_ms() - tasks.last_limit_log >= LIMIT_LOG_MS) {
		tasks.last_limit_log = clock_ms();
		log_warning("service %s has reached its limit of %lld "
			    "sessions: new clients wait; see maxproc in "
			    "master.cf",
		    r->service.name, (long long)max);
	}
	return true;
}

/*
 * The kernel wakes everybody, and the one that runs first would take all: a
 * process that has more sessions than another leaves it the next ones.
 */
static bool
is_others_turn(void)
{
	unsigned int fewest = slots_fewest_elsewhere();

	return fewest != UINT_MAX &&
	    tasks.count > (size_t)fewest + fewest / 8 + SHARE_SLACK;
}

/* False: there are no more. */
static bool
accept_some(struct acceptor *a, int most)
{
	for (int i = 0; i < most && !at_limit(a->running); i++) {
		int fd = listener_accept(a->running, a->index);

		if (fd < 0)
			return false;
		start_session(a->running, fd);
	}
	return true;
}

/*
 * The listener may be one that the new generation does not have: who is in
 * its queue now would be cut off.
 */
static void
accept_the_rest(struct acceptor *a)
{
	for (int i = 0; i < LAST_BATCHES && accept_some(a, ACCEPT_BATCH); i++)
		;
}

/*
 * The others are given a moment, no more: they may be busy, or stuck. It is
 * over with the sessions that were too many here; else two processes whose
 * sessions are short would wait for one another, and clients for both.
 */
static void
let_others_accept(void)
{
	int64_t until = clock_ms() + SHARE_PAUSE_MS;

	while (is_others_turn() && wait_on(&tasks.ended, until) == WAIT_READY)
		;
}

static void
accept_share(struct acceptor *a)
{
	if (is_others_turn()) {
		let_others_accept();
		if (!task_cancelled() && !control_retiring())
			(void)accept_some(a, ACCEPT_FOR_OTHERS);
		return;
	}
	for (int i = 0; i < ACCEPT_BATCH && !is_others_turn(); i++)
		if (!accept_some(a, 1))
			break;
}

static void
accept_task(void *argument)
{
	struct acceptor *a = argument;
	struct running *r = a->running;

	while (!task_cancelled() && !control_retiring()) {
		if (at_limit(r))
			(void)wait_on(&tasks.ended, clock_ms() + LIMIT_WAIT_MS);
		else if (wait_fd(r->listeners[a->index], WAIT_READ,
			     INT64_MAX) == WAIT_READY &&
		    !control_retiring() && !tasks.ending)
			accept_share(a);
		(void)wait_yield();
	}
	if (control_retiring() && !control_ending_now() && !tasks.ending)
		accept_the_rest(a);
	listener_close(r, a->index);
	a->task = NULL;
	update_state();
	end_if_done();
}

/* A program that nobody needs ends; master starts it when somebody does. */
static void
idle_task(void *argument)
{
	const struct running *r = argument;
	int64_t since, look;

	do {
		since = tasks.last_end;
		if (tasks.count > 0 || (r->spec->stays && slots_first()))
			since = clock_ms();
		if (rest_too_many(r, since, &look)) {
			tasks.ending = true;
			task_loop_stop();
		}
	} while (wait_until(look) != WAIT_CANCELLED);
}

static struct running *of_retire;

static void
stop_accepting(void)
{
	for (size_t i = 0; i < SERVICE_LISTENERS_MAX; i++)
		if (tasks.acceptors[i].task != NULL)
			task_cancel(tasks.acceptors[i].task);
}

void
tasks_leave(void)
{
	if (no_more())
		return;
	tasks.leaving = true;
	stop_accepting();
	slots_state(SLOT_RETIRING);
	/* master looks whether another one is to be started */
	control_full((unsigned int)tasks.count);
	end_if_done();
}

static void
on_retire(void)
{
	struct running *r = of_retire;

	stop_accepting();
	pool_close();
	if (r->spec->retire != NULL)
		r->spec->retire(&r->service);
	if (control_ending_now())
		for (struct session *s = tasks.sessions; s; s = s->next)
			task_cancel(s->task);
	end_if_done();
}

void
run_tasks(struct running *r)
{
	of_retire = r;
	task_before_wait(log_flush);
	task_at_rest(rest_now);
	log_join_lines();
	control_on_retire(on_retire);
	tasks.last_end = clock_ms();
	control_start_task();
	(void)task_start(idle_task, r);
	for (size_t i = 0; i < r->listener_count; i++) {
		struct acceptor *a = &tasks.acceptors[i];

		a->running = r;
		a->index = i;
		a->task = task_start(accept_task, a);
		ensure(a->task != NULL);
	}
	task_loop();
}
