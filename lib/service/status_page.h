/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_STATUS_PAGE_H
#define LIB_SERVICE_STATUS_PAGE_H

/*
 * Memory that all processes of one service share with master: a slot for each
 * process. It answers, without a message, whether another process is
 * idle, how many sessions the service has, and what `posthaste status`
 * shows.
 *
 * SECURITY: a process that was taken over can write here what it likes;
 * nothing but numbers for people and the start of processes (bounded by
 * maxproc) depends on it, and master reads each number once.
 */

#include <stdatomic.h>
#include <stdint.h>

enum {
	STATUS_SLOTS = 1024,
	PROCESSES_MAX = STATUS_SLOTS / 2, /* of one generation */
};

enum slot_state {
	SLOT_FREE,
	SLOT_STARTING, /* counts as idle: it will be */
	SLOT_IDLE, /* has room for a connection */
	SLOT_FULL,
	SLOT_RETIRING, /* takes nothing more */
};

struct status_slot {
	_Atomic uint32_t state; /* enum slot_state */
	_Atomic uint32_t generation;
	_Atomic int32_t pid;
	_Atomic uint32_t sessions; /* now */
	_Atomic uint64_t served; /* since the process began */
	_Atomic int64_t since; /* clock_ms() of the last change of state */
	char pad[24];
};

struct status_page {
	_Atomic uint32_t used; /* slots behind these were never in use */
	char pad[60];
	struct status_slot slots[STATUS_SLOTS];
};

#endif
