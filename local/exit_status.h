/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_EXIT_STATUS_H
#define LOCAL_EXIT_STATUS_H

/* What the end of a delivery command means for the mail. Pure. */

#include "lib/base/why.h"

/*
 * "status" as wait(2) has it. Exit 0 is OK (and *why untouched). Output that
 * begins with an enhanced code of class 4 or 5 decides, else the exit code,
 * as in sysexits.h; an end by signal is LATER.
 */
enum verdict exit_status_verdict(int status, const char *command,
    const char *output, struct why *why);

#endif
