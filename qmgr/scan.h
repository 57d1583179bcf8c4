/* SPDX-License-Identifier: ISC */
#ifndef QMGR_SCAN_H
#define QMGR_SCAN_H

/*
 * Looking through the queue directories: at the start for everything that
 * was accepted, later for mail that is due again and for files whose notice
 * was lost. Of the deferred queue only times are read until one is due. A
 * scan takes messages up as there is room for them in memory, so that one
 * pass suffices for a queue of any size.
 */

#include <stdbool.h>
#include <stdint.h>

/* Starts the tasks; report files of an earlier run are seen to first. */
void scan_start(void);
void scan_stop(void); /* soon; until then: */
bool scan_busy(void);

/* An entry has left memory. */
void scan_room_freed(void);
/* New mail may be in incoming that has no notice. */
void scan_incoming(void);
/* Mail may be due in the deferred queue. */
void scan_deferred(void);
/*
 * The report queue may hold what a failed dialogue left behind, or will: it
 * is looked at with each pass over incoming, and now more often for a while.
 */
void scan_recover_soon(void);

/*
 * A person wants deferred mail tried now, and mail of which an attempt is under
 * way tried again should that fail: all of it,
 */
void scan_flush(void);
/* that for a domain, */
void scan_flush_site(const char *domain);
/* or one message. Waits: call it from a task. */
void scan_flush_message(const char *id);
/* When one of them was last called, by clock_ms(). */
int64_t scan_flushed(void);

#endif
