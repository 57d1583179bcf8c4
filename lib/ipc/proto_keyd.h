/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_KEYD_H
#define LIB_IPC_PROTO_KEYD_H

/* Structs and tables of keyd.def. */

#define IPC_DEF "lib/ipc/keyd.def"
#include "lib/ipc/protocol.h"

#endif
