/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_RESOLVER_H
#define LIB_IPC_PROTO_RESOLVER_H

/* Structs and tables of resolver.def. */

#define IPC_DEF "lib/ipc/resolver.def"
#include "lib/ipc/protocol.h"

#endif
