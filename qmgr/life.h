/* SPDX-License-Identifier: ISC */
#ifndef QMGR_LIFE_H
#define QMGR_LIFE_H

/*
 * One qmgr at a time schedules. A generation that retires gives up the lock
 * at once, hands out nothing more, and ends when the deliveries in flight and
 * the reports being made are over; what it holds in memory is on disk, where
 * the next generation finds it. Files in flight are locked, so that the next
 * one lets them be (qmgr/entry_file.h).
 */

#include <stdbool.h>

/* With the rights of master: opens the lock file. */
void life_open_lock(void);
/*
 * Waits, in a task, until no other qmgr schedules. False when this one is
 * to end before it began.
 */
bool life_take_lock(void);
/* No new work from now on. */
void life_retire(void);
/* After the end of anything that a retiring generation waits for. */
void life_check(void);

#endif
