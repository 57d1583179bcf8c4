/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_MASTER_H
#define LIB_IPC_PROTO_MASTER_H

/* Structs and tables of master.def. */

#define IPC_DEF "lib/ipc/master.def"
#include "lib/ipc/protocol.h"

#endif
