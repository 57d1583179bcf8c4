/* SPDX-License-Identifier: ISC */
/*
 * Ends a process that runs in circles: one that has used minutes of
 * processor time without once waiting for anything. Costs the others
 * nothing: the kernel counts both.
 */
#include "lib/service/internal.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/log/log.h"

static long last_waits = -1;
static unsigned int rounds; /* without a wait */

/*
 * Runs between any two instructions: nothing here may allocate or lock.
 * log_flush writes what is kept, in the worst case twice.
 */
static void
look(int number)
{
	struct rusage used;

	(void)number;
	if (getrusage(RUSAGE_SELF, &used) < 0)
		return;
	if (used.ru_nvcsw != last_waits) {
		last_waits = used.ru_nvcsw;
		rounds = 0;
		return;
	}
	if (++rounds < WATCHDOG_ROUNDS)
		return;
	log_flush();
	signal(SIGABRT, SIG_DFL);
	(void)raise(SIGABRT);
	_exit(1);
}

void
watchdog_start(unsigned int seconds)
{
	struct sigaction action = { .sa_handler = look,
		.sa_flags = SA_RESTART };
	struct itimerval every = { .it_interval.tv_sec = seconds,
		.it_value.tv_sec = seconds };

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGPROF, &action, NULL) < 0 ||
	    setitimer(ITIMER_PROF, &every, NULL) < 0)
		log_warning("no watchdog: %m");
}
