# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/ipc/ipc.h lib/ipc/protocol.h lib/ipc/protocols.c \
	lib/ipc/proto_auth.h lib/ipc/proto_bounce.h lib/ipc/proto_cleanup.h \
	lib/ipc/proto_deliver.h lib/ipc/proto_keyd.h lib/ipc/proto_lookup.h \
	lib/ipc/proto_master.h lib/ipc/proto_qmgr.h
EXTRA_DIST += lib/ipc/auth.def lib/ipc/bounce.def lib/ipc/cleanup.def \
	lib/ipc/deliver.def lib/ipc/keyd.def lib/ipc/lookup.def \
	lib/ipc/master.def lib/ipc/qmgr.def
