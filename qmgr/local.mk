# SPDX-License-Identifier: ISC
daemon_PROGRAMS += qmgr/qmgr
qmgr_qmgr_SOURCES = qmgr/qmgr.c \
	qmgr/admit.c qmgr/admit.h \
	qmgr/asked.c qmgr/asked.h \
	qmgr/backoff.c qmgr/backoff.h \
	qmgr/dispatch.c qmgr/dispatch.h \
	qmgr/entry.c qmgr/entry.h \
	qmgr/entry_file.c qmgr/entry_file.h \
	qmgr/intake.c qmgr/intake.h \
	qmgr/life.c qmgr/life.h \
	qmgr/outcome.c qmgr/outcome.h \
	qmgr/patience.c qmgr/patience.h \
	qmgr/report.c qmgr/report.h \
	qmgr/report_recover.c qmgr/report_recover.h \
	qmgr/report_state.c qmgr/report_state.h \
	qmgr/route.c qmgr/route.h \
	qmgr/scan.c qmgr/scan.h \
	qmgr/schedule.c qmgr/schedule.h \
	qmgr/settings.c qmgr/settings.h \
	qmgr/soon.c qmgr/soon.h \
	qmgr/window.c qmgr/window.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/qmgr/backoff_test tests/unit/qmgr/window_test \
	tests/unit/qmgr/schedule_test tests/unit/qmgr/qmgr_test
TESTS += tests/unit/qmgr/backoff_test tests/unit/qmgr/window_test \
	tests/unit/qmgr/schedule_test tests/unit/qmgr/qmgr_test
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
tests_unit_qmgr_qmgr_test_SOURCES = tests/unit/qmgr/qmgr_test.c
tests_unit_qmgr_qmgr_test_LDADD = $(LDADD) -lcmocka
