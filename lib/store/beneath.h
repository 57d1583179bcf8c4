/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_BENEATH_H
#define LIB_STORE_BENEATH_H

/*
 * Opening below a directory, without a way out: no "..", no absolute name,
 * and no symbolic link may lead outside (row 138 of what broke elsewhere:
 * paths come from tables that others fill).
 */

#include <stdbool.h>
#include <sys/types.h>

/* Relative, not empty, no "" or "." or ".." among its parts (one / may end
 * it), no control characters? */
bool beneath_valid(const char *path);
/*
 * openat(2) below the directory "base", close-on-exec. Links are followed as
 * long as they stay below; on systems without openat2(2) not at all. -1 with
 * errno: EXDEV or ELOOP for a way out, EINVAL for a path that is not valid.
 */
int beneath_open(int base, const char *path, int flags, mode_t mode);
/*
 * Makes the directories of the path that are missing, all its parts. 0, or
 * -1 with errno. What is there already may be a link that stays below.
 */
int beneath_make(int base, const char *path, mode_t mode);

#endif
