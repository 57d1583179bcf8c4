/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_SUPERVISOR_H
#define LIB_IPC_PROTO_SUPERVISOR_H

/* Structs and tables of supervisor.def. */

#define IPC_DEF "lib/ipc/supervisor.def"
#include "lib/ipc/protocol.h"

#endif
