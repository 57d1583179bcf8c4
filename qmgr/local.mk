# SPDX-License-Identifier: ISC

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/qmgr/backoff_test tests/unit/qmgr/window_test \
	tests/unit/qmgr/schedule_test
TESTS += tests/unit/qmgr/backoff_test tests/unit/qmgr/window_test \
	tests/unit/qmgr/schedule_test
endif
tests_unit_qmgr_backoff_test_SOURCES = tests/unit/qmgr/backoff_test.c \
	qmgr/backoff.c qmgr/backoff.h
tests_unit_qmgr_backoff_test_LDADD = $(LDADD) -lcmocka
tests_unit_qmgr_window_test_SOURCES = tests/unit/qmgr/window_test.c \
	qmgr/window.c qmgr/window.h
tests_unit_qmgr_window_test_LDADD = $(LDADD) -lcmocka
tests_unit_qmgr_schedule_test_SOURCES = tests/unit/qmgr/schedule_test.c \
	qmgr/schedule.c qmgr/schedule.h qmgr/window.c qmgr/entry.c qmgr/entry.h
tests_unit_qmgr_schedule_test_LDADD = $(LDADD) -lcmocka
