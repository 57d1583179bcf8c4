/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_TOKEN_H
#define LIB_IPC_PROTO_TOKEN_H

/* Structs and tables of token.def. */

#define IPC_DEF "lib/ipc/token.def"
#include "lib/ipc/protocol.h"

#endif
