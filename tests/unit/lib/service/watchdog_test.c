/* SPDX-License-Identifier: ISC */
/* A process that runs in circles ends; one that works and waits does not. */
#include "lib/service/internal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { CIRCLES_S = WATCHDOG_ROUNDS + 3 };

static double
used(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 +
	    (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

/* Uses the processor; waits now and then, or never. */
static int
work(bool wait)
{
	struct timespec moment = { .tv_nsec = 1000000 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		watchdog_start(1);
		while (used() < CIRCLES_S) {
			for (volatile int i = 0; i < 10000000; i++)
				;
			if (wait)
				nanosleep(&moment, NULL);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
circles_end(void **state)
{
	int status = work(false);

	(void)state;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
work_goes_on(void **state)
{
	(void)state;
	assert_int_equal(work(true), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(circles_end),
		cmocka_unit_test(work_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
