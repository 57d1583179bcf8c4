/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_LOOKUP_H
#define LIB_IPC_PROTO_LOOKUP_H

/* Structs and tables of lookup.def. */

#define IPC_DEF "lib/ipc/lookup.def"
#include "lib/ipc/protocol.h"

#endif
