/* SPDX-License-Identifier: ISC */
#ifndef QMGR_ENTRY_FILE_H
#define QMGR_ENTRY_FILE_H

/*
 * What qmgr does to the queue file of an entry. postsuper may have moved the
 * file to hold meanwhile: it is then marked there and otherwise left alone.
 *
 * 0, or -1 with errno.
 */

#include <stdbool.h>
#include <stdint.h>
#include "qmgr/entry.h"

/*
 * Open for an agent, and locked in a way that tells a later qmgr, for as
 * long as any holder of the descriptor lives, that somebody is at work.
 * EWOULDBLOCK: somebody of an earlier qmgr still is.
 */
int entry_file_open(const struct entry *e);
int entry_file_open_for_marks(const struct entry *e);
/* Is an agent of an earlier qmgr still at work on this file? */
bool entry_file_in_use(int fd);
/* Unlinks message and reasons. */
void entry_file_remove(const struct entry *e);
/* Into the deferred queue, next attempt at this time (seconds). */
int entry_file_defer(struct entry *e, int64_t when);

#endif
