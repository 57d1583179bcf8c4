/* SPDX-License-Identifier: ISC */
#include "lib/base/process.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

static pid_t known; /* 0: not yet */

static void
forget(void)
{
	known = 0;
}

pid_t
process_id(void)
{
	static bool watched;

	if (known != 0)
		return known;
	/* without that, each call asks */
	if (!watched && pthread_atfork(NULL, NULL, forget) != 0)
		return getpid();
	watched = true;
	known = getpid();
	return known;
}
