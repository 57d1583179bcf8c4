# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/log/log.c lib/log/log.h \
	lib/log/log_crash.c lib/log/log_crash.h lib/base/compat_crash.h \
	lib/log/log_output.c lib/log/log_output.h

check_PROGRAMS += tests/unit/lib/log/log_test
TESTS += tests/unit/lib/log/log_test
tests_unit_lib_log_log_test_SOURCES = tests/unit/lib/log/log_test.c
tests_unit_lib_log_log_test_LDADD = $(LDADD) -lcmocka
