/* SPDX-License-Identifier: ISC */
#include "lib/task/task_internal.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/compat_fiber.h"
#include "lib/base/ensure.h"

/*
 * Stacks are kept for reuse as they are, pages and all, up to STACKS_KEPT;
 * what a burst of sessions needed beyond that goes back to the system at once,
 * these when no task has ended for a while.
 */
enum {
	STACK_SIZE = 256 * 1024,
	STACKS_KEPT = 64,
};

static void *kept[STACKS_KEPT];
static size_t kept_count;

static size_t
guard_size(void)
{
	static size_t size;

	if (size == 0)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

size_t
task_stack_size(void)
{
	return STACK_SIZE;
}

void *
task_stack_new(bool *used)
{
	char *map;

	*used = kept_count > 0;
	if (*used)
		return kept[--kept_count];
	map = mmap(NULL, STACK_SIZE + guard_size(), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(map, guard_size(), PROT_NONE) != 0) {
		int error = errno;

		munmap(map, STACK_SIZE + guard_size());
		errno = error;
		return NULL;
	}
	fiber_stack_new(map + guard_size(), STACK_SIZE);
	return map + guard_size();
}

static void
unmap(void *stack)
{
	char *map = (char *)stack - guard_size();

	fiber_stack_gone(stack, STACK_SIZE);
	if (munmap(map, STACK_SIZE + guard_size()) != 0)
		unreachable();
}

void
task_stack_free(void *stack)
{
	fiber_stack_clean(stack, STACK_SIZE);
	if (kept_count < STACKS_KEPT)
		kept[kept_count++] = stack;
	else
		unmap(stack);
}

void
task_stacks_trim(void)
{
	while (kept_count > 0)
		unmap(kept[--kept_count]);
}

void
task_trim_stack(void)
{
	struct task *t = task_current();
	uintptr_t here, low;

	if (t == NULL)
		return;
	/* one page below this frame stays, for what is called from here */
	here = (uintptr_t)__builtin_frame_address(0);
	here = (here & ~(uintptr_t)(guard_size() - 1)) - guard_size();
	low = (uintptr_t)t->stack;
	ensure(here < low + STACK_SIZE);
	if (here > low)
		madvise(t->stack, here - low, MADV_DONTNEED);
}
