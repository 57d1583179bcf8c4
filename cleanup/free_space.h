/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_FREE_SPACE_H
#define CLEANUP_FREE_SPACE_H

/* queue_minfree. */

#include "cleanup/settings.h"
#include "lib/base/why.h"

/* OK, or LATER with *why and a log line. "id": of the message. */
enum verdict
free_space_check(const struct settings *set, const char *id, struct why *why);

#endif
