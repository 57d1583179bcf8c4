/* SPDX-License-Identifier: ISC */
#ifndef LIB_SANDBOX_INTERNAL_H
#define LIB_SANDBOX_INTERNAL_H

/* What the parts of lib/sandbox say to each other. */

#include <stdbool.h>
#include <stdint.h>

/* landlock.c: no file outside the working directory from now on. */
void sandbox_below_here(bool write);

#endif
