/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_PROCESS_H
#define LIB_BASE_PROCESS_H

/*
 * What a process knows about itself without asking the kernel each time.
 */

#include <sys/types.h>

/* getpid(2), asked once in each process; right after fork(2) too. */
pid_t process_id(void);

#endif
