/* SPDX-License-Identifier: ISC */
#ifndef QMGR_ASKED_H
#define QMGR_ASKED_H

/*
 * What people have asked for and is not yet done, for the next qmgr: lines in
 * a file that each keeps open. Not synced: it outlives processes.
 */

#include "lib/base/buf.h"

/* While the file can still be made: before rights are dropped. */
void asked_open(void);
/* These lines, and no others. */
void asked_write(struct span lines);
void asked_read(struct buf *lines);

#endif
