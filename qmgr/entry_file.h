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
 * For writing too where the agent may take the file. EWOULDBLOCK: somebody
 * of an earlier qmgr still is at work.
 */
int entry_file_open(const struct entry *e, bool to_take);
/*
 * The same lock, kept until the entry is freed: for what a qmgr that retires
 * brings to its end. A file that is not there needs none.
 */
void entry_file_hold(struct entry *e);
int entry_file_open_for_marks(const struct entry *e);
/* Is an earlier qmgr, or an agent of it, still at work on this file? */
bool entry_file_in_use(int fd);
/* Unlinks message and reasons. */
void entry_file_remove(const struct entry *e);
/* Into the deferred queue, next attempt at this time (seconds). */
int entry_file_defer(struct entry *e, int64_t when);
/*
 * Where it is, for the next qmgr; with "now", what is in the deferred queue
 * is due at once.
 */
void entry_file_leave(const struct entry *e, bool now);

#endif
