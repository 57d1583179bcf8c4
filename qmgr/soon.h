/* SPDX-License-Identifier: ISC */
#ifndef QMGR_SOON_H
#define QMGR_SOON_H

/*
 * Single messages that are tried again without a look through the queues.
 * Nobody else knows of them: what is to outlive this process is due, on disk,
 * when it is put here.
 */

#include <stdbool.h>

enum { SOON_S = 10 }; /* when to try again what failed by our fault */

void soon_start(void);
void soon_stop(void); /* before long; until then: */
bool soon_busy(void);

/* In SOON_S seconds. */
void soon_again(const char *queue, const char *id);
/*
 * The qmgr before us holds it: its attempt began before any flush that we were
 * asked for.
 */
void soon_in_use(const char *queue, const char *id);
/* At once: it was asked for amid an attempt that has failed. */
void soon_now(const char *queue, const char *id);
/* A person wants them all tried: what the qmgr before us still has, as well. */
void soon_ask(void);
/* All of them now: the qmgr before us has ended. */
void soon_hurry(void);

#endif
