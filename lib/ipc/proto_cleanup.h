/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_CLEANUP_H
#define LIB_IPC_PROTO_CLEANUP_H

/* Structs and tables of cleanup.def. */

#define IPC_DEF "lib/ipc/cleanup.def"
#include "lib/ipc/protocol.h"

#endif
