/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_QUOTA_H
#define LIB_IPC_PROTO_QUOTA_H

/* Structs and tables of quota.def. */

#define IPC_DEF "lib/ipc/quota.def"
#include "lib/ipc/protocol.h"

#endif
