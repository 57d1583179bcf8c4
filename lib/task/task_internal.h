/* SPDX-License-Identifier: ISC */
#ifndef LIB_TASK_TASK_INTERNAL_H
#define LIB_TASK_TASK_INTERNAL_H

/* Shared by the files of lib/task only. */

#include <setjmp.h>
#include "lib/task/task.h"

enum { TASK_MAGIC = 0x7461736b };

/*
 * Lives at the upper end of its own stack, and stays there when it is over:
 * the next task on that stack goes on from the same context.
 */
struct task {
	unsigned int magic; /* 0: over */
	bool entered; /* the context is good */
	bool cancelled;
	bool shielded; /* a cancellation waits... */
	bool cancel_later; /* ...and one did come */
	bool waiting; /* not in the ready list */
	enum wait_result result; /* of the wait that ended */
	int64_t deadline; /* of this wait */
	int64_t timer_key; /* never later than the deadline while waiting */
	size_t timer_index; /* in the heap, TASK_NO_TIMER when not there */
	task_function *function;
	void *argument;
	void *stack; /* lowest usable byte */
	void *fake_stack; /* AddressSanitizer's */
	struct task *next_ready;
	struct task *previous, *next; /* all tasks */
	sigjmp_buf context;
};

#define TASK_NO_TIMER ((size_t)-1)

/*
 * Stacks. NULL with errno when the system has none left. A stack that was
 * used before comes back as it was left (*used), the struct at its end too.
 */
void *task_stack_new(bool *used);
void task_stack_free(void *stack);
size_t task_stack_size(void);
/* Those that wait for reuse go back to the system. */
void task_stacks_trim(void);

/*
 * Suspends the current task until task_wake or the deadline. The caller has
 * seen to it that somebody will wake it.
 */
enum wait_result task_suspend(int64_t deadline);
/* Ends the wait of a task; nothing if it does not wait. */
void task_wake(struct task *t, enum wait_result result);

/* Timers: a heap of tasks by timer_key. */
void task_timer_set(struct task *t);
void task_timer_drop(struct task *t);
/* Wakes those whose time has come. */
void task_timer_expire(int64_t now);
/* The earliest key, or INT64_MAX. */
int64_t task_timer_first(void);

#endif
