/* SPDX-License-Identifier: ISC */
#include "lib/base/thread.h"

#include <signal.h>

enum { STACK = 256 * 1024 }; /* of addresses; few pages are touched */

bool
thread_start(pthread_t *thread, void *(*run)(void *with), void *with)
{
	pthread_attr_t how;
	sigset_t all, before;
	int error;

	if (pthread_attr_init(&how) != 0)
		return false;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_attr_setstacksize(&how, STACK);
	if (error == 0)
		error = pthread_create(thread, &how, run, with);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&how);
	return error == 0;
}
