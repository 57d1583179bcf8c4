/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_MASTER_LOCK_H
#define TOOLS_MASTER_LOCK_H

#include <sys/types.h>

/*
 * The master that runs with this queue directory; 0: none, -1: it may not be
 * asked for (errno EACCES: this is for root).
 */
pid_t master_lock_holder(const char *queue_directory);

#endif
