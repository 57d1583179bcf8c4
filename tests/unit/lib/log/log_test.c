/* SPDX-License-Identifier: ISC */
/* Each test has a process of its own: what is set up lasts until its end. */
#include "lib/log/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/log/log_crash.h"

static int ends[2];

/* What is in the pipe now, and was written at once or not. */
static const char *
in_pipe(void)
{
	static char text[256 * 1024];
	ssize_t n = read(ends[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static size_t
lines_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static const char *
head_of(char letter, pid_t pid)
{
	static char text[64];

	snprintf(text, sizeof(text), "%c t/x[%d]: ", letter, (int)pid);
	return text;
}

/* How the process that ran it ended. */
static int
apart(void (*run)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		run();
		exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int
opened(void **state)
{
	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	log_open("t/x", ends[1]);
	return 0;
}

static int
closed(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static void
one_line_one_write(void **state)
{
	char expected[128];

	(void)state;
	log_info("a %s\x01", "b");
	snprintf(expected, sizeof(expected), "%sa b?\n",
	    head_of('I', getpid()));
	assert_string_equal(in_pipe(), expected);
	log_warning("c");
	snprintf(expected, sizeof(expected), "%swarning: c\n",
	    head_of('W', getpid()));
	assert_string_equal(in_pipe(), expected);
}

static void
logs_as_child(void)
{
	log_info("child");
}

static void
a_child_has_its_own_number(void **state)
{
	(void)state;
	log_info("parent");
	(void)in_pipe();
	assert_int_equal(apart(logs_as_child), 0);
	assert_null(strstr(in_pipe(), head_of('I', getpid())));
}

static void
joins(void)
{
	log_join_lines();
	log_info("one");
	log_info("two");
	assert_string_equal(in_pipe(), "");
	log_flush();
	assert_int_equal(lines_of(in_pipe()), 2);
	log_flush();
	assert_string_equal(in_pipe(), "");
	log_info("three");
	log_warning("four");
	assert_int_equal(lines_of(in_pipe()), 2);
	log_info("five");
}

static void
lines_are_joined_until_a_warning_or_the_end(void **state)
{
	const char *left;

	(void)state;
	assert_int_equal(apart(joins), 0);
	left = in_pipe();
	assert_int_equal(lines_of(left), 1);
	assert_non_null(strstr(left, "five"));
}

static void
logs_much(void)
{
	log_join_lines();
	for (int i = 0; i < 1000; i++)
		log_info("%d %s", i,
		    "0123456789012345678901234567890123456789");
}

static void
no_line_is_torn_or_out_of_order(void **state)
{
	char expected[64];
	const char *text;

	(void)state;
	assert_int_equal(apart(logs_much), 0);
	text = in_pipe();
	assert_int_equal(lines_of(text), 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(expected, sizeof(expected), "]: %d 0123456789", i);
		text = strstr(text, expected);
		assert_non_null(text);
	}
}

static void
forks(void)
{
	log_join_lines();
	log_info("once");
	if (fork() == 0)
		exit(0);
	while (wait(NULL) > 0)
		;
}

static void
a_fork_doubles_nothing(void **state)
{
	(void)state;
	assert_int_equal(apart(forks), 0);
	assert_int_equal(lines_of(in_pipe()), 1);
}

/* cmocka and sanitizers have handlers of their own */
static void
prepare_to_crash(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	log_crashes();
}

static bool
ended_by(int status, int number)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == number;
}

static void
crashes(void)
{
	prepare_to_crash();
	log_join_lines();
	log_info("last words");
	raise(SIGSEGV);
}

static void
a_crash_takes_no_line_with_it(void **state)
{
	const char *text, *words;

	(void)state;
	assert_true(ended_by(apart(crashes), SIGSEGV));
	text = in_pipe();
	words = strstr(text, "last words");
	assert_non_null(words);
	assert_non_null(strstr(words, "panic: signal 11 at "));
	assert_null(strstr(text, "address"));
	assert_null(strstr(text, "sent by"));
}

enum { NOWHERE = 0x28 };

extern const char __executable_start[];

__attribute__((noinline, noclone)) static void
write_to(volatile int *nowhere)
{
	*nowhere = 1;
}

__attribute__((noinline, noclone)) static void
write_nowhere(void)
{
	volatile uintptr_t place = NOWHERE;

	prepare_to_crash();
	write_to((volatile int *)place);
	assert_int_equal(place, NOWHERE); /* not a last call */
}

static uintptr_t
offset_of(void (*function)(void))
{
	return (uintptr_t)function - (uintptr_t)__executable_start;
}

/* Is there an offset of this program, after "text", within the function? */
static bool
names(const char *text, uintptr_t start)
{
	static const char own[] = "log_test+0x";

	while ((text = strstr(text, own)) != NULL) {
		uintptr_t at = strtoul(text + strlen(own), NULL, 16);

		if (at >= start && at < start + 256)
			return true;
		text++;
	}
	return false;
}

static void
a_crash_says_where(void **state)
{
	const char *text, *callers;
	char *head;

	(void)state;
	assert_true(ended_by(apart(write_nowhere), SIGSEGV));
	text = in_pipe();
	assert_int_equal(lines_of(text), 2);
	callers = strchr(text, '\n') + 1;
	assert_int_equal(strncmp(text, "P t/x[", 6), 0);
	assert_int_equal(strncmp(callers, "P t/x[", 6), 0);
	head = strndup(text, (size_t)(callers - text));
	assert_non_null(strstr(head, "]: panic: signal 11 at log_test+0x"));
	assert_non_null(strstr(head, ", address 0x28\n"));
	assert_true(names(head, offset_of((void (*)(void))write_to)));
	assert_non_null(
	    strstr(callers, "]: panic: signal 11 perhaps called from "));
	assert_true(names(callers, offset_of(write_nowhere)));
	free(head);
}

__attribute__((noinline)) static int
deeper(volatile char *above, unsigned int levels)
{
	volatile char room[4096];

	room[0] = *above;
	return levels == 0 ? 0 : deeper(room, levels - 1) + room[0];
}

static void
runs_out_of_stack(void)
{
	volatile char none = 0;

	prepare_to_crash();
	(void)deeper(&none, UINT_MAX);
}

static void
one_without_a_stack_says_so_too(void **state)
{
	const char *text;

	(void)state;
	assert_true(ended_by(apart(runs_out_of_stack), SIGSEGV));
	text = in_pipe();
	assert_non_null(strstr(text, "panic: signal 11 at log_test+0x"));
	assert_true(names(text, offset_of((void (*)(void))deeper)));
}

static void
is_killed(void)
{
	prepare_to_crash();
	if (fork() == 0) {
		kill(getppid(), SIGSEGV);
		_exit(0);
	}
	for (;;)
		pause();
}

static void
who_sent_a_signal_is_told(void **state)
{
	(void)state;
	assert_true(ended_by(apart(is_killed), SIGSEGV));
	assert_non_null(
	    strstr(in_pipe(), "panic: signal 11, sent by process "));
}

static void
breaks_a_promise(void)
{
	prepare_to_crash();
	ensure(ends[0] < 0);
}

static void
a_broken_promise_says_who_asked(void **state)
{
	const char *text;

	(void)state;
	assert_true(ended_by(apart(breaks_a_promise), SIGABRT));
	text = in_pipe();
	assert_non_null(strstr(text, "breaks_a_promise: ends[0] < 0\n"));
	assert_non_null(strstr(text, "panic: signal 6 at "));
	assert_true(names(text, offset_of(breaks_a_promise)));
}

/* Both ways of writing: joined, and not. */
static void
overflows(void)
{
	char line[1000];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	/* 65536 bytes: 64 lines of 1000 and more, none of the others */
	for (int i = 0; i < 100; i++)
		log_info("%s", line);
	log_flush();
}

static void
joins_and_overflows(void)
{
	log_join_lines();
	overflows();
}

static void
expect_count(void)
{
	const char *text = in_pipe(), *told;
	size_t there = lines_of(text);
	char expected[64];

	assert_in_range(there, 50, 65);
	log_info("room again");
	log_flush();
	told = in_pipe();
	snprintf(expected, sizeof(expected), "warning: %zu log lines lost",
	    100 - there);
	assert_non_null(strstr(told, expected));
	assert_non_null(strstr(told, "room again"));
	assert_int_equal(lines_of(told), 2);
}

static void
overflows_and_tells(void)
{
	overflows();
	expect_count();
}

static void
joins_overflows_and_tells(void)
{
	joins_and_overflows();
	expect_count();
}

static void
lost_lines_are_counted(void **state)
{
	(void)state;
	assert_int_equal(apart(overflows_and_tells), 0);
	assert_int_equal(apart(joins_overflows_and_tells), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
		TEST(one_line_one_write),
		TEST(a_child_has_its_own_number),
		TEST(lines_are_joined_until_a_warning_or_the_end),
		TEST(no_line_is_torn_or_out_of_order),
		TEST(a_fork_doubles_nothing),
		TEST(a_crash_takes_no_line_with_it),
		TEST(a_crash_says_where),
		TEST(one_without_a_stack_says_so_too),
		TEST(who_sent_a_signal_is_told),
		TEST(a_broken_promise_says_who_asked),
		TEST(lost_lines_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
