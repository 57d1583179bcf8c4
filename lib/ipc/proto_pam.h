/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_PROTO_PAM_H
#define LIB_IPC_PROTO_PAM_H

/* Structs and tables of pam.def. */

#define IPC_DEF "lib/ipc/pam.def"
#include "lib/ipc/protocol.h"

#endif
