/* SPDX-License-Identifier: ISC */
/* The tables of all protocols. */
#include "lib/ipc/proto_cleanup.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/ipc/proto_deliver.h"
#include "lib/ipc/proto_bounce.h"
#include "lib/ipc/proto_auth.h"
#include "lib/ipc/proto_keyd.h"
#include "lib/ipc/proto_pam.h"
#include "lib/ipc/proto_quota.h"
#include "lib/ipc/proto_master.h"
#include "lib/ipc/proto_resolver.h"
#include "lib/ipc/proto_session.h"
#include "lib/ipc/proto_showq.h"
#include "lib/ipc/proto_supervisor.h"
#include "lib/ipc/proto_token.h"

#define IPC_DEFINE
#define IPC_DEF "lib/ipc/cleanup.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/lookup.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/qmgr.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/deliver.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/bounce.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/auth.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/keyd.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/pam.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/quota.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/master.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/resolver.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/session.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/showq.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/supervisor.def"
#include "lib/ipc/protocol.h"
#define IPC_DEF "lib/ipc/token.def"
#include "lib/ipc/protocol.h"

const struct ipc_protocol *const ipc_protocols[] = {
	&protocol_cleanup,
	&protocol_lookup,
	&protocol_qmgr,
	&protocol_deliver,
	&protocol_bounce,
	&protocol_auth,
	&protocol_keyd,
	&protocol_pam,
	&protocol_quota,
	&protocol_master,
	&protocol_resolver,
	&protocol_session,
	&protocol_showq,
	&protocol_supervisor,
	&protocol_token,
	NULL,
};
