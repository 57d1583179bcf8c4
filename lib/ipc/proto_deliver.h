/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_DELIVER_H
#define LIB_IPC_PROTO_DELIVER_H

/* Structs and tables of deliver.def. */

#define IPC_DEF "lib/ipc/deliver.def"
#include "lib/ipc/protocol.h"

#endif
