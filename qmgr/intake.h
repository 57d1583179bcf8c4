/* SPDX-License-Identifier: ISC */
#ifndef QMGR_INTAKE_H
#define QMGR_INTAKE_H

/*
 * The doors: connections from cleanup with new mail, and from commands that
 * want the queue looked at. A task for each listener and each connection.
 */

#include <stdbool.h>

void intake_start(void);
void intake_stop(void); /* soon; until then: */
bool intake_busy(void);

#endif
