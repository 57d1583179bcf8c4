/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_THREAD_H
#define LIB_BASE_THREAD_H

/*
 * A second thread for work that wants no mind of its own: it hears of no
 * signal, for those are the first one's, and has a stack of 256 KB. The promise
 * "threads" (lib/sandbox/sandbox.h) is needed for it. Whoever starts it joins
 * it.
 */

#include <pthread.h>
#include <stdbool.h>

/* False: there can be none. */
bool thread_start(pthread_t *thread, void *(*run)(void *with), void *with);

#endif
