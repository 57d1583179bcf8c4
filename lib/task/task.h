/* SPDX-License-Identifier: ISC */
#ifndef LIB_TASK_TASK_H
#define LIB_TASK_TASK_H

/*
 * Tasks: functions with a stack of their own on one thread. A task that must
 * wait lets another run; between two waits nothing else runs, so tasks need
 * no locks. A task ends only by returning.
 *
 * The waits below also work outside tasks (in a program without a loop, or
 * before task_loop): there they use poll(2) and block the process.
 *
 * Every wait has a deadline, a point of clock_ms(). A cancelled task gets
 * WAIT_CANCELLED from its current wait and from every later one, at once.
 *
 * Stacks are 256 KiB, reserved and not committed, with a guard page below;
 * recycled until the program is at rest. Keep large objects off them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;
struct ev_loop;
typedef void task_function(void *argument);

enum wait_result { WAIT_READY, WAIT_TIMEOUT, WAIT_CANCELLED };
enum { WAIT_READ = 1, WAIT_WRITE = 2 };

/*
 * Starts a task; it first runs from the loop, after the caller's next wait.
 * The handle is valid until the function returns. NULL with errno when the
 * system has no room for another stack (two mappings each: on Linux about
 * 32,000 of them, vm.max_map_count).
 */
struct task *task_start(task_function *function, void *argument);
/* The task that runs now, NULL outside. */
struct task *task_current(void);
void task_cancel(struct task *t);
bool task_cancelled(void); /* the current one */
/*
 * A cancelled task that has something left to do, which it bounds by itself:
 * its waits wait again, until it is cancelled once more.
 */
void task_revive(void);
/*
 * Between true and false a cancellation of the current task waits: for the
 * moments in which to give up would leave somebody in doubt whether a message
 * changed hands. Does nothing outside of tasks.
 */
void task_shield(bool on);
/* Tasks alive now. */
size_t task_count(void);

/*
 * Gives the unused part of this task's stack back to the system; for a
 * session that goes idle.
 */
void task_trim_stack(void);

/* Waits until the descriptor (non-blocking) is ready for "events". */
enum wait_result wait_fd(int fd, unsigned int events, int64_t deadline);
/*
 * To be called before closing a descriptor that was ever waited for, so that
 * the loop forgets it.
 */
void wait_forget(int fd);
/*
 * The same, before closing a descriptor that stays open in another process
 * (it was passed on): its events must not come here any more.
 */
void wait_release(int fd);
/* WAIT_TIMEOUT when the time has come, WAIT_CANCELLED if cancelled. */
enum wait_result wait_until(int64_t deadline);
/*
 * The same after a random while of less than so many: those who do it in one
 * moment go on at different ones.
 */
enum wait_result wait_apart(int64_t milliseconds);
/* Lets others run, then goes on. */
enum wait_result wait_yield(void);

/* A place where tasks wait for each other. Zeroed is ready for use. */
struct wait_queue {
	struct waiter *first;
	struct waiter *last;
};

enum wait_result wait_on(struct wait_queue *q, int64_t deadline);
/* False when nobody waits. */
bool wait_wake_one(struct wait_queue *q);
void wait_wake_all(struct wait_queue *q);

/*
 * Waits for the descriptor, as wait_fd, and in the queue at the same time;
 * *woken: it was the queue.
 */
enum wait_result wait_fd_or(int fd, unsigned int events, struct wait_queue *q,
    int64_t deadline, bool *woken);

/*
 * Runs tasks until task_loop_stop (then those still alive are cancelled and
 * run to their end) or until no task and no watcher is left.
 */
void task_loop(void);
void task_loop_stop(void);
/*
 * To be called each time that no task can run, before the loop waits for
 * something to happen: for output that was gathered. It must not wait.
 */
void task_before_wait(void (*call)(void));
/*
 * To be called when no task has ended for three seconds, once after those
 * that did: the moment to give back what many of them needed. The stacks that
 * were kept for the next ones are given back by then. It must not wait.
 */
void task_at_rest(void (*call)(void));
/* For the few that need signals, children or timers of libev itself. */
struct ev_loop *task_ev_loop(void);

#endif
