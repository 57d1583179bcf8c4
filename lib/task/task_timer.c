/* SPDX-License-Identifier: ISC */
#include "lib/task/task_internal.h"

#include <stdlib.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

/*
 * A binary heap of tasks, lazy: when a wait ends early its entry stays, and
 * the next wait, whose deadline is nearly always later, finds it in place.
 * Only when the old time comes is the entry moved to where the new one
 * belongs. So a busy session with a time-out of 300 s touches the heap once
 * in 300 s.
 */
static struct task **heap;
static size_t count;
static size_t room;

static void
put(size_t i, struct task *t)
{
	heap[i] = t;
	t->timer_index = i;
}

static void
sift_up(size_t i)
{
	struct task *t = heap[i];

	while (i > 0 && heap[(i - 1) / 2]->timer_key > t->timer_key) {
		put(i, heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(i, t);
}

static void
sift_down(size_t i)
{
	struct task *t = heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= count)
			break;
		if (child + 1 < count &&
		    heap[child + 1]->timer_key < heap[child]->timer_key)
			child++;
		if (heap[child]->timer_key >= t->timer_key)
			break;
		put(i, heap[child]);
		i = child;
	}
	put(i, t);
}

static void
insert(struct task *t)
{
	if (count == room) {
		room = room == 0 ? 64 : room * 2;
		heap = mem_resize(heap, room * sizeof(struct task *));
	}
	put(count, t);
	sift_up(count++);
}

void
task_timer_set(struct task *t)
{
	if (t->timer_index != TASK_NO_TIMER) {
		if (t->timer_key <= t->deadline)
			return;
		t->timer_key = t->deadline;
		sift_up(t->timer_index);
		return;
	}
	if (t->deadline == INT64_MAX)
		return;
	t->timer_key = t->deadline;
	insert(t);
}

void
task_timer_drop(struct task *t)
{
	size_t i = t->timer_index;

	if (i == TASK_NO_TIMER)
		return;
	ensure(i < count && heap[i] == t);
	t->timer_index = TASK_NO_TIMER;
	if (i == --count)
		return;
	put(i, heap[count]);
	sift_up(i);
	sift_down(heap[i]->timer_index);
}

int64_t
task_timer_first(void)
{
	return count > 0 ? heap[0]->timer_key : INT64_MAX;
}

void
task_timer_expire(int64_t now)
{
	while (count > 0 && heap[0]->timer_key <= now) {
		struct task *t = heap[0];

		if (t->waiting && t->deadline > now &&
		    t->deadline != INT64_MAX) {
			t->timer_key = t->deadline;
			sift_down(0);
			continue;
		}
		task_timer_drop(t);
		if (t->waiting && t->deadline <= now)
			task_wake(t, WAIT_TIMEOUT);
	}
}
