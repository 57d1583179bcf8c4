/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_QMGR_H
#define LIB_IPC_PROTO_QMGR_H

/* Structs and tables of qmgr.def. */

#define IPC_DEF "lib/ipc/qmgr.def"
#include "lib/ipc/protocol.h"

#endif
