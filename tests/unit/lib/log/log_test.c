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

static void
crashes(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL); /* cmocka has one of its own */
	log_join_lines();
	log_info("last words");
	raise(SIGSEGV);
	/* the handler has returned; now it is the default's turn */
	raise(SIGSEGV);
}

static void
a_crash_takes_no_line_with_it(void **state)
{
	int status;

	(void)state;
	status = apart(crashes);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_non_null(strstr(in_pipe(), "last words"));
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
		TEST(lost_lines_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
