# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/ipc/ipc.h lib/ipc/ipc.c lib/ipc/ipc_connection.h lib/ipc/ipc_greeting.c \
	lib/ipc/ipc_input.c lib/ipc/ipc_read.c lib/ipc/ipc_send.c \
	lib/ipc/codec.h lib/ipc/encode.c lib/ipc/decode.c lib/ipc/protocol.h lib/ipc/protocols.c
libposthaste_a_SOURCES += lib/ipc/proto_auth.h
EXTRA_DIST += lib/ipc/auth.def
libposthaste_a_SOURCES += lib/ipc/proto_bounce.h
EXTRA_DIST += lib/ipc/bounce.def
libposthaste_a_SOURCES += lib/ipc/proto_cleanup.h
EXTRA_DIST += lib/ipc/cleanup.def
libposthaste_a_SOURCES += lib/ipc/proto_deliver.h
EXTRA_DIST += lib/ipc/deliver.def
libposthaste_a_SOURCES += lib/ipc/proto_keyd.h
EXTRA_DIST += lib/ipc/keyd.def
libposthaste_a_SOURCES += lib/ipc/proto_lookup.h
EXTRA_DIST += lib/ipc/lookup.def
libposthaste_a_SOURCES += lib/ipc/proto_master.h
EXTRA_DIST += lib/ipc/master.def
libposthaste_a_SOURCES += lib/ipc/proto_pam.h
EXTRA_DIST += lib/ipc/pam.def
libposthaste_a_SOURCES += lib/ipc/proto_qmgr.h
EXTRA_DIST += lib/ipc/qmgr.def
libposthaste_a_SOURCES += lib/ipc/proto_quota.h
EXTRA_DIST += lib/ipc/quota.def
libposthaste_a_SOURCES += lib/ipc/proto_resolver.h
EXTRA_DIST += lib/ipc/resolver.def
libposthaste_a_SOURCES += lib/ipc/proto_session.h
EXTRA_DIST += lib/ipc/session.def
libposthaste_a_SOURCES += lib/ipc/proto_showq.h
EXTRA_DIST += lib/ipc/showq.def
libposthaste_a_SOURCES += lib/ipc/proto_token.h
EXTRA_DIST += lib/ipc/token.def
libposthaste_a_SOURCES += lib/ipc/proto_supervisor.h
EXTRA_DIST += lib/ipc/supervisor.def

check_PROGRAMS += tests/unit/lib/ipc/codec_test tests/unit/lib/ipc/ipc_test
TESTS += tests/unit/lib/ipc/codec_test tests/unit/lib/ipc/ipc_test
ipc_random_message = tests/unit/lib/ipc/random_message.h \
	tests/unit/lib/ipc/random_message.c
tests_unit_lib_ipc_codec_test_SOURCES = $(ipc_random_message) \
	tests/unit/lib/ipc/codec_test.c
tests_unit_lib_ipc_codec_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_ipc_ipc_test_SOURCES = $(ipc_random_message) \
	tests/unit/lib/ipc/ipc_test.c
tests_unit_lib_ipc_ipc_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/ipc_fuzz tests/fuzz/ipc_stream_fuzz
TESTS += tests/fuzz/ipc_fuzz tests/fuzz/ipc_stream_fuzz
ipc_made_message = tests/fuzz/made_message.c tests/fuzz/made_message.h
tests_fuzz_ipc_fuzz_SOURCES = tests/fuzz/ipc_fuzz.c tests/fuzz/replay.c \
	$(ipc_made_message)
tests_fuzz_ipc_stream_fuzz_SOURCES = tests/fuzz/ipc_stream_fuzz.c \
	tests/fuzz/replay.c $(ipc_made_message)
