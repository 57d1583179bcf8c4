/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_SCRATCH_H
#define CLEANUP_SCRATCH_H

/*
 * Files without a name, for content that a submitter which may open none
 * gathers until its end has come.
 *
 * The submitter keeps its descriptor and may have been taken over: what is in
 * such a file may change at any time. It is read once, from front to back,
 * like a connection; nothing that was read is looked at again.
 */

#include <stdint.h>
#include "lib/base/span.h"

/* A descriptor, or -1 with errno. Below the working directory. */
int scratch_make(void);
/* Could it be of scratch_make? Its reads never wait. */
bool scratch_valid(int fd);
/*
 * Calls "take" with the file's bytes from its start. 0, or -1 with errno: EIO
 * when there are not so many.
 */
int scratch_read(int fd, uint64_t size,
    void (*take)(void *with, struct span bytes), void *with);

#endif
