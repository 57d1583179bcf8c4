/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_SESSION_H
#define LIB_IPC_PROTO_SESSION_H

/* Structs and tables of session.def. */

#define IPC_DEF "lib/ipc/session.def"
#include "lib/ipc/protocol.h"

#endif
