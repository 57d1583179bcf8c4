/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SCRATCH_H
#define SMTPD_SCRATCH_H

/*
 * Files without a name, for content beyond what a session may keep in memory.
 * cleanup opens them, for smtpd may open none, and empties them when it has
 * read them; smtpd writes them by descriptor. Some are kept for the next
 * message. They are gone with the process.
 */

#include "lib/base/span.h"
#include "lib/base/why.h"

/*
 * No file of this process grows beyond so many bytes (0: no limit), for good:
 * what somebody who has taken over smtpd can fill. Before smtpd is confined.
 */
void scratch_bound(uint64_t most);

/* An empty one for this message; -1 with *why. May wait. */
int scratch_get(const char *queue_id, int64_t deadline, struct why *why);
/* 0; or -1 with *why and a log line. */
int scratch_write(int fd, const char *queue_id, struct span data, uint64_t at,
    struct why *why);
/*
 * *fd is given back. "empty": cleanup has said so, by its answer; one that is
 * not, or that somebody may still read, is closed.
 */
void scratch_put(int *fd, bool empty);
/* Closes those that are kept; no new message comes for them. */
void scratch_forget_all(void);

#endif
