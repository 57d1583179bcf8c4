/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_PROCESS_H
#define LIB_BASE_PROCESS_H

/*
 * What a process knows about itself without asking the kernel each time.
 */

#include <sys/types.h>

/* getpid(2), asked once in each process; right after fork(2) too. */
pid_t process_id(void);
enum { BOOT_ID_SIZE = 40 };
/*
 * The kernel's name of the time since it started; "" where it is not to be
 * had. Read once: a program asks before it gives up its view of /proc.
 * Padded with zeros to BOOT_ID_SIZE.
 */
const char *process_boot_id(void);

#endif
