/* SPDX-License-Identifier: ISC */
#ifndef MASTER_REPORT_H
#define MASTER_REPORT_H

/*
 * What becomes of each line of a main.cf and a master.cf, on standard
 * output: `posthaste check --report`. The form is for programs too, and
 * stays: posthaste(1).
 */

#include <stdbool.h>

/* True when start would take them. */
bool report(const char *directory, bool json);

#endif
