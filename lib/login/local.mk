# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/login/login.h lib/login/login.c \
	lib/login/login_main.c lib/login/login_exchange.c \
	lib/login/login_hand_over.c \
	lib/login/relay.c lib/login/session_stage.h lib/login/session_main.c \
	lib/login/session_parent.c lib/login/session_child.c \
	lib/login/session_enter.c lib/login/session_internal.h \
	lib/login/session_question.c lib/login/session_redeem.c \
	lib/login/session_timer.c \
	lib/login/session_parking.c lib/login/parking_places.c \
	lib/login/parking_places.h lib/login/parking_room.c \
	lib/login/parking_room.h \
	lib/login/root_path.c lib/login/root_path.h \
	lib/login/mbox_keeper.c lib/login/mbox_keeper.h lib/login/session_shares.c \
	lib/login/session_shares.h
EXTRA_DIST += lib/login/params.def

check_PROGRAMS += tests/unit/lib/login/session_enter_test
TESTS += tests/unit/lib/login/session_enter_test
tests_unit_lib_login_session_enter_test_SOURCES = \
	tests/unit/lib/login/session_enter_test.c
tests_unit_lib_login_session_enter_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/unit/lib/login/session_parking_test
TESTS += tests/unit/lib/login/session_parking_test
tests_unit_lib_login_session_parking_test_SOURCES = \
	tests/unit/lib/login/session_parking_test.c
tests_unit_lib_login_session_parking_test_LDADD = $(LDADD) -lcmocka
