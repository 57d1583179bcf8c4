/* SPDX-License-Identifier: ISC */
/*
 * The end: listeners are closed, everybody is asked to finish, after some
 * seconds told to, then killed. logd ends last, when it has written what the
 * others had to say.
 */
#include "master/master.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/log/log.h"

enum { GRACE_S = 4, KILL_S = 4 };

static ev_timer timer;
static int next_signal;

static bool
is_log(const struct served *s)
{
	return strcmp(s->program->name, "logd") == 0;
}

static bool
only_log_left(const struct master *m)
{
	for (const struct served *s = m->services; s != NULL; s = s->next)
		if (s->children != NULL && !is_log(s))
			return false;
	return true;
}

static void
signal_all(const struct master *m, int sig, bool log_too)
{
	for (const struct served *s = m->services; s != NULL; s = s->next)
		for (const struct child *c = s->children; c; c = c->next) {
			if (is_log(s) && !log_too)
				continue;
			if (sig == SIGKILL)
				log_warning("%s pid %d does not end: killed",
				    c->program->name, (int)c->pid);
			(void)kill(c->pid, sig);
		}
}

static void
retire_all(const struct master *m, bool log)
{
	for (const struct served *s = m->services; s != NULL; s = s->next)
		for (struct child *c = s->children; c != NULL; c = c->next)
			if (is_log(s) == log)
				child_retire(c, true);
}

static void
late(struct ev_loop *loop, ev_timer *t, int events)
{
	const struct master *m = t->data;

	(void)events;
	signal_all(m, next_signal, only_log_left(m));
	next_signal = SIGKILL;
	ev_timer_set(t, KILL_S, 0);
	ev_timer_start(loop, t);
}

static void
wait_for_end(struct master *m, double seconds)
{
	ev_timer_stop(m->loop, &timer);
	ev_timer_init(&timer, late, seconds, 0);
	timer.data = m;
	ev_timer_start(m->loop, &timer);
}

void
stop_next(struct master *m)
{
	static bool log_told;

	if (services_children(m) == 0) {
		ev_break(m->loop, EVBREAK_ALL);
		return;
	}
	if (!only_log_left(m) || log_told)
		return;
	log_told = true;
	log_info("stopped");
	retire_all(m, true);
	next_signal = SIGTERM;
	wait_for_end(m, GRACE_S);
}

void
stop(struct master *m, bool abort_now)
{
	bool again = m->stopping;

	m->stopping = true;
	if (!again) {
		notify_systemd("STOPPING=1");
		log_info("%s", abort_now ? "aborting" : "stopping");
		for (struct served *s = m->services; s != NULL; s = s->next)
			service_close_listeners(s, NULL);
		retire_all(m, false);
		next_signal = SIGTERM;
		wait_for_end(m, GRACE_S);
	}
	if (abort_now) {
		signal_all(m, SIGTERM, false);
		next_signal = SIGKILL;
		wait_for_end(m, 2);
	}
	stop_next(m);
}
