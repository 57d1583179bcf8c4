/* SPDX-License-Identifier: ISC */

/* siglongjmp to another stack is what this file is for, not an attack */
#undef _FORTIFY_SOURCE

#include "lib/task/task.h"

#include <errno.h>
#include <ev.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <ucontext.h>

#include "lib/base/clock.h"
#include "lib/base/compat_fiber.h"
#include "lib/base/ensure.h"
#include "lib/task/task_internal.h"

/*
 * A stack is entered once with setcontext(3); from then on the switches are
 * sigsetjmp(3) and siglongjmp(3) without signal mask, which cost no system
 * call, where swapcontext(3) costs two. When its task is over, the stack waits
 * at its bottom for the next one.
 *
 * The loop and the tasks take turns: a task that waits jumps to the loop,
 * the loop runs each ready task in turn, then asks libev what has happened.
 */

struct waiter {
	struct task *task;
	struct waiter *next;
	struct waiter *previous;
	struct wait_queue *queue; /* NULL: taken off */
};

static struct task *current;
static struct task *all;
static size_t alive;
static struct task *ready_first;
static struct task *ready_last;
static sigjmp_buf loop_context;
static void *loop_fake_stack;
static const void *loop_stack;
static size_t loop_stack_size;
static bool in_loop;
static bool stopping;
static ev_timer alarm_clock;
static int64_t alarm_time = INT64_MAX;
static void (*before_wait)(void);

/*
 * Rest. An end only notes its time; whether that was long ago is looked at
 * every REST_MS, and no more once it was.
 */
enum { REST_MS = 3000 };
static int64_t last_end;
static int64_t rest_look = INT64_MAX;
static void (*at_rest)(void);

struct task *
task_current(void)
{
	return current;
}

bool
task_cancelled(void)
{
	return current != NULL && current->cancelled;
}

size_t
task_count(void)
{
	return alive;
}

static void
make_ready(struct task *t)
{
	t->next_ready = NULL;
	if (ready_last != NULL)
		ready_last->next_ready = t;
	else
		ready_first = t;
	ready_last = t;
}

void
task_wake(struct task *t, enum wait_result result)
{
	ensure(t->magic == TASK_MAGIC);
	if (!t->waiting)
		return;
	t->waiting = false;
	t->result = result;
	make_ready(t);
}

/* Jumps to the loop; returns when the loop runs this task again. */
static void
switch_to_loop(struct task *t)
{
	fiber_leave(&t->fake_stack, loop_stack, loop_stack_size);
	if (sigsetjmp(t->context, 0) == 0)
		siglongjmp(loop_context, 1);
	fiber_enter(t->fake_stack, &loop_stack, &loop_stack_size);
}

enum wait_result
task_suspend(int64_t deadline)
{
	struct task *t = current;
	int error = errno;

	ensure(t != NULL && !t->waiting);
	t->waiting = true;
	t->deadline = deadline;
	task_timer_set(t);
	switch_to_loop(t);
	ensure(current == t && !t->waiting);
	errno = error;
	return t->result;
}

/*
 * The bottom of every stack: one task after the other. No variable, since
 * none would be sure to survive the jump.
 */
static void
entry(void)
{
	for (;;) {
		fiber_enter(NULL, &loop_stack, &loop_stack_size);
		current->function(current->argument);
		ensure(current->magic == TASK_MAGIC && !current->waiting);
		current->magic = 0;
		fiber_leave(NULL, loop_stack, loop_stack_size);
		if (sigsetjmp(current->context, 0) == 0)
			siglongjmp(loop_context, 1);
	}
}

static void
enter_first(struct task *t)
{
	static ucontext_t fresh;

	t->entered = true;
	if (getcontext(&fresh) != 0)
		unreachable();
	fresh.uc_stack.ss_sp = t->stack;
	fresh.uc_stack.ss_size = (size_t)((char *)t - (char *)t->stack);
	fresh.uc_link = NULL;
	makecontext(&fresh, entry, 0);
	setcontext(&fresh);
	unreachable();
}

static void
end(struct task *t)
{
	task_timer_drop(t);
	if (t->previous != NULL)
		t->previous->next = t->next;
	else
		all = t->next;
	if (t->next != NULL)
		t->next->previous = t->previous;
	if (--alive == 0)
		ev_unref(task_ev_loop());
	task_stack_free(t->stack);
	last_end = clock_ms();
	if (rest_look == INT64_MAX)
		rest_look = last_end + REST_MS;
}

/* Runs the current task until it waits or ends. */
static void
resume(void)
{
	fiber_leave(&loop_fake_stack, current->stack, task_stack_size());
	if (sigsetjmp(loop_context, 0) == 0) {
		if (current->entered)
			siglongjmp(current->context, 1);
		enter_first(current);
	}
	fiber_enter(loop_fake_stack, NULL, NULL);
}

static void
run(struct task *t)
{
	current = t;
	resume();
	current = NULL;
	if (t->magic != TASK_MAGIC)
		end(t);
}

struct task *
task_start(task_function *function, void *argument)
{
	bool used;
	char *stack = task_stack_new(&used);
	struct task *t;
	size_t size = (sizeof(*t) + 63) & ~(size_t)63;

	if (stack == NULL)
		return NULL;
	t = (struct task *)(void *)(stack + task_stack_size() - size);
	memset(t, 0, offsetof(struct task, context));
	t->entered = used;
	t->magic = TASK_MAGIC;
	t->function = function;
	t->argument = argument;
	t->stack = stack;
	t->timer_index = TASK_NO_TIMER;
	t->cancelled = stopping;
	t->next = all;
	if (all != NULL)
		all->previous = t;
	all = t;
	if (alive++ == 0)
		ev_ref(task_ev_loop());
	make_ready(t);
	return t;
}

void
task_cancel(struct task *t)
{
	ensure(t->magic == TASK_MAGIC);
	if (t->shielded) {
		t->cancel_later = true;
		return;
	}
	t->cancelled = true;
	task_wake(t, WAIT_CANCELLED);
}

void
task_revive(void)
{
	if (current != NULL)
		current->cancelled = false;
}

void
task_shield(bool on)
{
	if (current == NULL)
		return;
	current->shielded = on;
	if (!on && current->cancel_later)
		current->cancelled = true;
}

static void
sleep_until(int64_t deadline)
{
	struct timespec t = {
		.tv_sec = deadline / 1000,
		.tv_nsec = deadline % 1000 * 1000000,
	};

	while (
	    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

enum wait_result
wait_until(int64_t deadline)
{
	if (current == NULL) {
		sleep_until(deadline);
		return WAIT_TIMEOUT;
	}
	if (current->cancelled)
		return WAIT_CANCELLED;
	return task_suspend(deadline);
}

enum wait_result
wait_apart(int64_t milliseconds)
{
	uint32_t noise;

	if (getrandom(&noise, sizeof(noise), GRND_NONBLOCK) != sizeof(noise))
		noise = (uint32_t)clock_wall_us();
	return wait_until(clock_ms() + noise % milliseconds);
}

enum wait_result
wait_yield(void)
{
	struct task *t = current;

	if (t == NULL)
		return WAIT_READY;
	if (t->cancelled)
		return WAIT_CANCELLED;
	t->result = WAIT_READY;
	make_ready(t);
	switch_to_loop(t);
	return t->cancelled ? WAIT_CANCELLED : WAIT_READY;
}

static void
take_off(struct waiter *w)
{
	struct wait_queue *q = w->queue;

	if (w->previous != NULL)
		w->previous->next = w->next;
	else
		q->first = w->next;
	if (w->next != NULL)
		w->next->previous = w->previous;
	else
		q->last = w->previous;
	w->queue = NULL;
}

static void
line_up(struct wait_queue *q, struct waiter *w)
{
	w->previous = q->last;
	if (q->last != NULL)
		q->last->next = w;
	else
		q->first = w;
	q->last = w;
}

enum wait_result
wait_on(struct wait_queue *q, int64_t deadline)
{
	struct waiter w = { .task = current, .queue = q };
	enum wait_result result;

	if (current == NULL || current->cancelled)
		return wait_until(deadline);
	line_up(q, &w);
	result = task_suspend(deadline);
	if (w.queue != NULL)
		take_off(&w);
	return result;
}

enum wait_result
wait_fd_or(int fd, unsigned int events, struct wait_queue *q, int64_t deadline,
    bool *woken)
{
	struct waiter w = { .task = current, .queue = q };
	enum wait_result result;

	*woken = false;
	if (current == NULL || current->cancelled)
		return wait_fd(fd, events, deadline);
	line_up(q, &w);
	result = wait_fd(fd, events, deadline);
	if (w.queue != NULL)
		take_off(&w);
	else
		*woken = result == WAIT_READY;
	return result;
}

bool
wait_wake_one(struct wait_queue *q)
{
	struct waiter *w;

	/* those that were cancelled or timed out, and did not run yet */
	for (w = q->first; w != NULL && !w->task->waiting; w = q->first)
		take_off(w);
	if (w == NULL)
		return false;
	take_off(w);
	task_wake(w->task, WAIT_READY);
	return true;
}

void
wait_wake_all(struct wait_queue *q)
{
	while (wait_wake_one(q))
		;
}

static void
rang(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)timer, (void)events;
	alarm_time = INT64_MAX;
}

static void
look_for_rest(int64_t now)
{
	if (now < rest_look)
		return;
	rest_look = last_end + REST_MS;
	if (now < rest_look)
		return;
	rest_look = INT64_MAX;
	task_stacks_trim();
	if (at_rest != NULL)
		at_rest();
}

/* One libev timer, set to the earliest deadline of all. */
static void
set_alarm(void)
{
	struct ev_loop *loop = task_ev_loop();
	int64_t first = task_timer_first();
	int64_t left;

	/* without tasks the loop has its end to come to, not its rest */
	if (alive > 0 && rest_look < first)
		first = rest_look;
	if (first == alarm_time)
		return;
	ev_timer_stop(loop, &alarm_clock);
	alarm_time = first;
	if (first == INT64_MAX)
		return;
	ev_now_update(loop);
	left = first - clock_ms();
	ev_timer_init(&alarm_clock, rang, left > 0 ? (double)left / 1000 : 0.0,
	    0.0);
	ev_timer_start(loop, &alarm_clock);
}

/* Each that is ready now, once; what becomes ready meanwhile comes after. */
static void
run_ready(void)
{
	struct task *t = ready_first, *last = ready_last;

	while (t != NULL) {
		bool was_last = t == last;

		ready_first = t->next_ready;
		if (ready_first == NULL)
			ready_last = NULL;
		run(t);
		if (was_last)
			break;
		t = ready_first;
	}
}

void
task_before_wait(void (*call)(void))
{
	before_wait = call;
}

void
task_at_rest(void (*call)(void))
{
	at_rest = call;
}

void
task_loop(void)
{
	struct ev_loop *loop = task_ev_loop();
	bool more = true;

	ensure(current == NULL && !in_loop);
	in_loop = true;
	while (more && !(stopping && alive == 0)) {
		run_ready();
		/* whom these made ready: to look for events first is a call */
		run_ready();
		set_alarm();
		if (stopping && alive == 0)
			break;
		if (ready_first == NULL && before_wait != NULL)
			before_wait();
		more = ev_run(loop,
		    ready_first != NULL ? EVRUN_NOWAIT : EVRUN_ONCE);
		task_timer_expire(clock_ms());
		look_for_rest(clock_ms());
		more = more || alive > 0;
	}
	in_loop = false;
	stopping = false;
}

void
task_loop_stop(void)
{
	stopping = true;
	for (struct task *t = all; t != NULL; t = t->next)
		task_cancel(t);
	ev_break(task_ev_loop(), EVBREAK_ONE);
}
