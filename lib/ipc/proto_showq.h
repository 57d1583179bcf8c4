/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_SHOWQ_H
#define LIB_IPC_PROTO_SHOWQ_H

/* Structs and tables of showq.def. */

#define IPC_DEF "lib/ipc/showq.def"
#include "lib/ipc/protocol.h"

#endif
