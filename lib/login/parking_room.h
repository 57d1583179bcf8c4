/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOGIN_PARKING_ROOM_H
#define LIB_LOGIN_PARKING_ROOM_H

/*
 * Memory for parked connections, in pieces of few sizes, which forked
 * processes do not get.
 */

#include <stddef.h>

/* Zeroed; at most what the largest message of a parked connection needs. */
void *parking_room_take(size_t size);
/* Wiped. */
void parking_room_give(void *piece, size_t size);

#endif
