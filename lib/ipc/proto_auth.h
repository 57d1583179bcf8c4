/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_AUTH_H
#define LIB_IPC_PROTO_AUTH_H

/* Structs and tables of auth.def. */

#define IPC_DEF "lib/ipc/auth.def"
#include "lib/ipc/protocol.h"

#endif
