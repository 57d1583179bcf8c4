/* SPDX-License-Identifier: ISC */
#include "lib/task/task.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/task/task_internal.h"

static char trace[256];
static size_t trace_length;
static unsigned int epoll_changes;
static unsigned int epoll_waits;

/* Counts what the loop asks of the kernel. */
__attribute__((visibility("default"))) int
epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	epoll_changes++;
	return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

__attribute__((visibility("default"))) int
epoll_wait(int epoll, struct epoll_event *events, int most, int ms)
{
	epoll_waits++;
	return (int)syscall(SYS_epoll_pwait, epoll, events, most, ms, NULL, 8);
}

static void
note(char c)
{
	assert_true(trace_length + 1 < sizeof(trace));
	trace[trace_length++] = c;
	trace[trace_length] = '\0';
}

static int
fresh(void **state)
{
	(void)state;
	trace_length = 0;
	trace[0] = '\0';
	return 0;
}

static void
pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
			     fd),
	    0);
}

static void
yielder(void *argument)
{
	const char *letters = argument;

	for (; *letters; letters++) {
		note(*letters);
		assert_int_equal(wait_yield(), WAIT_READY);
	}
}

static void
served(void *fd)
{
	assert_int_equal(write(*(int *)fd, "x", 1), 1);
}

/* As who accepts connections: each is a task's, and then others have a turn. */
static void
accepts(void *argument)
{
	int *fd = argument;
	char c;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(wait_fd(fd[0], WAIT_READ, clock_in(60)),
		    WAIT_READY);
		assert_int_equal(read(fd[0], &c, 1), 1);
		task_start(served, &fd[1]);
		assert_int_equal(wait_yield(), WAIT_READY);
	}
}

static void
who_was_just_made_ready_costs_no_look(void **state)
{
	int fd[2];

	(void)state;
	pair(fd);
	task_start(accepts, fd);
	task_start(served, &fd[1]);
	epoll_waits = 0;
	task_loop();
	assert_in_range(epoll_waits, 100, 105);
	wait_forget(fd[0]);
	close(fd[0]);
	close(fd[1]);
}

static unsigned int yields;
static bool over;

static void
never_waits(void *unused)
{
	(void)unused;
	while (!over && yields < 1000) {
		yields++;
		assert_int_equal(wait_yield(), WAIT_READY);
	}
}

static void
hears(void *argument)
{
	int *fd = argument;
	char c;

	assert_int_equal(wait_fd(fd[0], WAIT_READ, clock_in(60)), WAIT_READY);
	assert_int_equal(read(fd[0], &c, 1), 1);
	over = true;
	wait_forget(fd[0]);
}

static void
who_never_waits_keeps_no_event_away(void **state)
{
	int fd[2];

	(void)state;
	pair(fd);
	over = false;
	yields = 0;
	assert_int_equal(write(fd[1], "x", 1), 1);
	task_start(never_waits, NULL);
	task_start(hears, fd);
	task_loop();
	assert_in_range(yields, 1, 5);
	close(fd[0]);
	close(fd[1]);
}

static void
tasks_take_turns(void **state)
{
	static char abc[] = "abc", xyz[] = "xyz";

	(void)state;
	task_start(yielder, abc);
	task_start(yielder, xyz);
	assert_string_equal(trace, "");
	assert_int_equal(task_count(), 2);
	task_loop();
	assert_string_equal(trace, "axbycz");
	assert_int_equal(task_count(), 0);
}

static void
echo(void *argument)
{
	int fd = *(int *)argument;
	char c;

	for (;;) {
		assert_int_equal(wait_fd(fd, WAIT_READ, clock_in(60)),
		    WAIT_READY);
		if (read(fd, &c, 1) != 1)
			break;
		assert_int_equal(write(fd, &c, 1), 1);
	}
	wait_forget(fd);
	close(fd);
}

static void
ask(void *argument)
{
	int fd = *(int *)argument;
	char c;

	for (int i = 0; i < 100; i++) {
		c = (char)('a' + i % 26);
		assert_int_equal(write(fd, &c, 1), 1);
		assert_int_equal(wait_fd(fd, WAIT_READ, clock_in(60)),
		    WAIT_READY);
		assert_int_equal(read(fd, &c, 1), 1);
		assert_int_equal(c, 'a' + i % 26);
	}
	wait_forget(fd);
	close(fd);
}

static void
a_dialogue_costs_no_epoll_ctl(void **state)
{
	int fd[2];

	(void)state;
	pair(fd);
	task_start(echo, &fd[0]);
	task_start(ask, &fd[1]);
	epoll_changes = 0;
	task_loop();
	/* one for each descriptor, however long the dialogue */
	assert_in_range(epoll_changes, 2, 4);
}

static void
a_number_that_comes_back_is_watched_again(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		int fd[2];

		pair(fd);
		task_start(echo, &fd[0]);
		task_start(ask, &fd[1]);
		task_loop();
	}
}

static void
late(void *argument)
{
	int fd = *(int *)argument;
	int64_t start = clock_ms();

	assert_int_equal(wait_fd(fd, WAIT_READ, start + 30), WAIT_TIMEOUT);
	assert_in_range(clock_ms() - start, 30, 30000);
	/* an earlier deadline than the one before */
	start = clock_ms();
	assert_int_equal(wait_fd(fd, WAIT_READ, start + 10000000), WAIT_READY);
	start = clock_ms();
	assert_int_equal(wait_until(start + 20), WAIT_TIMEOUT);
	assert_in_range(clock_ms() - start, 20, 30000);
	note('l');
}

static void
poker(void *argument)
{
	assert_int_equal(wait_until(clock_ms() + 60), WAIT_TIMEOUT);
	assert_int_equal(write(*(int *)argument, "x", 1), 1);
	note('p');
}

static void
waits_end_at_their_deadline(void **state)
{
	int fd[2];

	(void)state;
	pair(fd);
	task_start(late, &fd[0]);
	task_start(poker, &fd[1]);
	task_loop();
	assert_string_equal(trace, "pl");
	wait_forget(fd[0]);
	close(fd[0]);
	close(fd[1]);
}

static void
sleeper(void *argument)
{
	int64_t when = *(int64_t *)argument;

	assert_int_equal(wait_until(when), WAIT_TIMEOUT);
	note((char)('0' + (when - clock_ms() <= 0)));
}

static void
many_timers_ring_in_order(void **state)
{
	static int64_t when[500];
	int64_t now = clock_ms();

	(void)state;
	for (int i = 0; i < 200; i++) {
		when[i] = now + (i * 7919) % 97;
		assert_non_null(task_start(sleeper, &when[i]));
	}
	task_loop();
	assert_int_equal(trace_length, 200);
	assert_null(strchr(trace, '0'));
}

static void
victim(void *argument)
{
	int fd = *(int *)argument;

	assert_int_equal(wait_fd(fd, WAIT_READ, INT64_MAX), WAIT_CANCELLED);
	assert_true(task_cancelled());
	assert_int_equal(wait_until(clock_in(60)), WAIT_CANCELLED);
	assert_int_equal(wait_yield(), WAIT_CANCELLED);
	assert_int_equal(wait_fd(fd, WAIT_READ, INT64_MAX), WAIT_CANCELLED);
	note('v');
}

static void
killer(void *argument)
{
	wait_yield();
	task_cancel(argument);
	note('k');
}

static void
a_cancelled_task_unwinds(void **state)
{
	int fd[2];

	(void)state;
	pair(fd);
	task_start(killer, task_start(victim, &fd[0]));
	task_loop();
	assert_string_equal(trace, "kv");
	wait_forget(fd[0]);
	close(fd[0]);
	close(fd[1]);
}

static void
shielded(void *argument)
{
	(void)argument;
	task_shield(true);
	assert_int_equal(wait_until(clock_ms() + 20), WAIT_TIMEOUT);
	assert_false(task_cancelled());
	note('d');
	task_shield(false);
	assert_true(task_cancelled());
	assert_int_equal(wait_until(clock_in(60)), WAIT_CANCELLED);
	note('v');
}

static void
a_shield_keeps_a_cancellation_waiting(void **state)
{
	(void)state;
	task_shield(true); /* no task: nothing */
	task_start(killer, task_start(shielded, NULL));
	task_loop();
	assert_string_equal(trace, "kdv");
}

static void
stopper(void *argument)
{
	(void)argument;
	wait_yield();
	task_loop_stop();
	note('s');
}

static void
stopping_cancels_all(void **state)
{
	int fd[2];

	(void)state;
	pair(fd);
	task_start(victim, &fd[0]);
	task_start(stopper, NULL);
	task_loop();
	assert_string_equal(trace, "sv");
	assert_int_equal(task_count(), 0);
	wait_forget(fd[0]);
	close(fd[0]);
	close(fd[1]);
}

static struct wait_queue queue;

static void
queuer(void *argument)
{
	assert_int_equal(wait_on(&queue, clock_in(60)), WAIT_READY);
	note(*(char *)argument);
}

static void
impatient(void *argument)
{
	assert_int_equal(wait_on(&queue, clock_ms() + 10), WAIT_TIMEOUT);
	note(*(char *)argument);
}

static void
waker(void *argument)
{
	(void)argument;
	wait_until(clock_ms() + 40);
	assert_true(wait_wake_one(&queue));
	wait_yield();
	note('-');
	wait_wake_all(&queue);
	assert_false(wait_wake_one(&queue));
}

static void
queues_wake_in_order(void **state)
{
	static char names[] = "1i23";

	(void)state;
	task_start(queuer, &names[0]);
	task_start(impatient, &names[1]);
	task_start(queuer, &names[2]);
	task_start(queuer, &names[3]);
	task_start(waker, NULL);
	task_loop();
	assert_string_equal(trace, "i1-23");
	assert_null(queue.first);
	assert_null(queue.last);
}

static void
cancelled_in_queue(void *argument)
{
	(void)argument;
	assert_int_equal(wait_on(&queue, clock_in(60)), WAIT_CANCELLED);
	note('c');
}

static struct task *to_cancel;

static void
cancels_then_wakes(void *argument)
{
	(void)argument;
	wait_yield();
	task_cancel(to_cancel);
	/* the wake must reach the one that still waits */
	assert_true(wait_wake_one(&queue));
}

static void
a_wake_is_not_lost_on_a_cancelled_task(void **state)
{
	static char name[] = "w";

	(void)state;
	to_cancel = task_start(cancelled_in_queue, NULL);
	task_start(queuer, name);
	task_start(cancels_then_wakes, NULL);
	task_loop();
	assert_string_equal(trace, "cw");
}

static void
writer(void *argument)
{
	int fd = *(int *)argument;
	static char block[65536];
	size_t left = 4 * 1024 * 1024;

	while (left > 0) {
		ssize_t n = write(fd, block,
		    left < sizeof(block) ? left : sizeof(block));

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(wait_fd(fd, WAIT_WRITE, clock_in(60)),
			    WAIT_READY);
			continue;
		}
		left -= (size_t)n;
	}
	wait_forget(fd);
	close(fd);
	note('w');
}

static void
reader(void *argument)
{
	int fd = *(int *)argument;
	static char block[65536];
	size_t total = 0;
	ssize_t n = 1;

	while (n != 0) {
		n = read(fd, block, sizeof(block));
		if (n > 0)
			total += (size_t)n;
		else if (n < 0)
			assert_int_equal(wait_fd(fd, WAIT_READ, clock_in(60)),
			    WAIT_READY);
	}
	assert_int_equal(total, 4 * 1024 * 1024);
	wait_forget(fd);
	close(fd);
	note('r');
}

static void
a_full_pipe_waits_for_its_reader(void **state)
{
	int fd[2];

	(void)state;
	pair(fd);
	task_start(writer, &fd[0]);
	task_start(reader, &fd[1]);
	task_loop();
	assert_string_equal(trace, "wr");
}

static void
both_ways(void *argument)
{
	int fd = *(int *)argument;

	assert_int_equal(wait_fd(fd, WAIT_READ | WAIT_WRITE, clock_in(60)),
	    WAIT_READY);
	note('b');
	assert_int_equal(wait_fd(fd, WAIT_READ, clock_ms() + 30), WAIT_TIMEOUT);
	wait_release(fd);
	close(fd);
}

static void
write_interest_does_not_linger(void **state)
{
	int fd[2];

	(void)state;
	pair(fd);
	task_start(both_ways, &fd[0]);
	task_loop();
	assert_string_equal(trace, "b");
	close(fd[1]);
}

static void
passes_on(void *argument)
{
	int fd = *(int *)argument;

	assert_int_equal(wait_fd(fd, WAIT_READ, clock_ms() + 5), WAIT_TIMEOUT);
	wait_release(fd);
	close(fd);
}

static void
a_released_descriptor_is_silent(void **state)
{
	static int64_t when;
	int fd[2], kept;

	(void)state;
	pair(fd);
	kept = dup(fd[0]); /* as another process would hold it */
	task_start(passes_on, &fd[0]);
	task_loop();
	assert_int_equal(write(fd[1], "x", 1), 1);
	epoll_changes = 0;
	when = clock_ms() + 20;
	task_start(sleeper, &when);
	task_loop();
	/* an event of it would have made the loop repair its set */
	assert_int_equal(epoll_changes, 0);
	close(kept);
	close(fd[1]);
}

static void
deep(char *below)
{
	char block[100000];

	memset(block, 1, sizeof(block));
	*below = block[50000];
}

static void
trims(void *argument)
{
	char c = 0;

	for (int i = 0; i < 3; i++) {
		deep(&c);
		task_trim_stack();
		assert_int_equal(wait_yield(), WAIT_READY);
	}
	*(int *)argument = c;
}

static void
a_trimmed_stack_still_works(void **state)
{
	int result = 0;

	(void)state;
	task_start(trims, &result);
	task_loop();
	assert_int_equal(result, 1);
	task_trim_stack(); /* outside: nothing */
}

static void
counts(void *argument)
{
	assert_int_equal(wait_yield(), WAIT_READY);
	++*(int *)argument;
}

static void
stacks_are_recycled_and_released(void **state)
{
	int count = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++)
			assert_non_null(task_start(counts, &count));
		task_loop();
	}
	assert_int_equal(count, 900);
}

static int rests;
static struct wait_queue rested;

static void
note_rest(void)
{
	rests++;
	wait_wake_all(&rested);
}

static void
waits_for_rest(void *argument)
{
	bool *ended = argument;

	*ended = wait_on(&rested, clock_in(60)) == WAIT_READY;
}

/* Once, when nothing has ended for a while; then no stack is kept. */
static void
at_rest_nothing_is_kept(void **state)
{
	bool used, ended = false;
	int64_t start = clock_ms();
	int count = 0;
	void *stack;

	(void)state;
	for (int i = 0; i < 30; i++)
		assert_non_null(task_start(counts, &count));
	task_loop();
	stack = task_stack_new(&used);
	assert_true(used);
	task_stack_free(stack);
	assert_int_equal(rests, 0);
	task_at_rest(note_rest);
	assert_non_null(task_start(waits_for_rest, &ended));
	task_loop();
	task_at_rest(NULL);
	assert_true(ended);
	assert_int_equal(rests, 1);
	assert_in_range(clock_ms() - start, 2900, 30000);
	stack = task_stack_new(&used); /* that of waits_for_rest */
	assert_true(used);
	task_stack_free(stack);
	task_stacks_trim();
	stack = task_stack_new(&used);
	assert_false(used);
	task_stack_free(stack);
}

static void
works_without_tasks(void **state)
{
	int64_t start = clock_ms();
	int fd[2];

	(void)state;
	pair(fd);
	assert_null(task_current());
	assert_int_equal(wait_fd(fd[0], WAIT_READ, start + 20), WAIT_TIMEOUT);
	assert_in_range(clock_ms() - start, 20, 30000);
	assert_int_equal(wait_fd(fd[0], WAIT_WRITE, clock_in(60)), WAIT_READY);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(wait_fd(fd[0], WAIT_READ, INT64_MAX), WAIT_READY);
	assert_int_equal(wait_until(clock_ms() + 10), WAIT_TIMEOUT);
	assert_int_equal(wait_yield(), WAIT_READY);
	assert_false(task_cancelled());
	task_loop(); /* nothing to do: returns */
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tasks_take_turns, fresh),
		cmocka_unit_test_setup(who_was_just_made_ready_costs_no_look,
		    fresh),
		cmocka_unit_test_setup(who_never_waits_keeps_no_event_away,
		    fresh),
		cmocka_unit_test_setup(a_dialogue_costs_no_epoll_ctl, fresh),
		cmocka_unit_test_setup(
		    a_number_that_comes_back_is_watched_again, fresh),
		cmocka_unit_test_setup(a_shield_keeps_a_cancellation_waiting,
		    fresh),
		cmocka_unit_test_setup(waits_end_at_their_deadline, fresh),
		cmocka_unit_test_setup(many_timers_ring_in_order, fresh),
		cmocka_unit_test_setup(a_cancelled_task_unwinds, fresh),
		cmocka_unit_test_setup(stopping_cancels_all, fresh),
		cmocka_unit_test_setup(queues_wake_in_order, fresh),
		cmocka_unit_test_setup(a_wake_is_not_lost_on_a_cancelled_task,
		    fresh),
		cmocka_unit_test_setup(a_full_pipe_waits_for_its_reader, fresh),
		cmocka_unit_test_setup(write_interest_does_not_linger, fresh),
		cmocka_unit_test_setup(a_released_descriptor_is_silent, fresh),
		cmocka_unit_test_setup(a_trimmed_stack_still_works, fresh),
		cmocka_unit_test_setup(stacks_are_recycled_and_released, fresh),
		cmocka_unit_test_setup(at_rest_nothing_is_kept, fresh),
		cmocka_unit_test_setup(works_without_tasks, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
