/* SPDX-License-Identifier: ISC */
#ifndef QMGR_ADMIT_H
#define QMGR_ADMIT_H

/*
 * How a message becomes active: from cleanup's notice, without reading the
 * file, or from its file, with lookup asked anew where it goes.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/ipc/proto_qmgr.h"

enum admitted {
	ADMITTED, /* or already there, or nothing to do with it */
	ADMIT_GONE, /* no such file in this queue */
	ADMIT_IN_USE, /* an earlier qmgr or its agent is still at work */
	ADMIT_LATER, /* lookup cannot answer; it stays on disk */
};

/*
 * Is there room? Mail that is tried again may fill only a part of memory,
 * so that new mail always finds some.
 */
bool admit_room(bool again);
/* cleanup's notice. False: no room, a scan must find it later. */
bool admit_notice(const struct msg_queued *notice);
/* Waits for lookup: call it from a task. "urgent": a person asked for it. */
enum admitted admit_file(const char *queue, const char *id, bool urgent);

#endif
