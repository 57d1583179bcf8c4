/* SPDX-License-Identifier: ISC */
#ifndef QMGR_LIFE_H
#define QMGR_LIFE_H

/*
 * One qmgr at a time schedules, and each message belongs to one qmgr at any
 * time. A generation that retires
 * 1. closes its doors and ends its scans: it takes up nothing more;
 * 2. settles what it knows of messages that it has not handed out, and
 *    forgets them: they are on disk, where the next one finds them;
 * 3. locks the files of all others, those with deliveries in flight and
 *    those that are being reported or deferred (qmgr/entry_file.h);
 * 4. takes a shared lock on pid/qmgr.retiring, and only then gives up that on
 *    pid/qmgr.lock, for which the next one waits;
 * 5. brings what it has to its end, marks, reports and removal included, and
 *    ends.
 * The next one lets locked files be, and those reports that are about them.
 * As long as somebody holds pid/qmgr.retiring, it looks into incoming twice
 * a second, for reports and for what was left untried; after that once more,
 * everywhere, whatever way the other one has ended.
 */

#include <stdbool.h>

/* With the rights of master: opens the lock files. */
void life_open_lock(void);
/*
 * Waits, in a task, until no other qmgr schedules. False when this one is
 * to end before it began.
 */
bool life_take_lock(void);
/* The scans run: looks after what others still have in hand. */
void life_follow(void);
/* Is an earlier qmgr still at work? For the one that schedules. */
bool life_others_finish(void);
/* No new work from now on. */
void life_retire(void);
/* After the end of anything that a retiring generation waits for. */
void life_check(void);

#endif
