/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_BOUNCE_H
#define LIB_IPC_PROTO_BOUNCE_H

/* Structs and tables of bounce.def. */

#define IPC_DEF "lib/ipc/bounce.def"
#include "lib/ipc/protocol.h"

#endif
