# SPDX-License-Identifier: ISC
daemon_PROGRAMS += logd/logd
logd_logd_SOURCES = logd/logd.c logd/line.c logd/line.h \
	logd/target.c logd/target.h

check_PROGRAMS += tests/unit/logd/line_test
TESTS += tests/unit/logd/line_test
tests_unit_logd_line_test_SOURCES = tests/unit/logd/line_test.c \
	logd/line.c logd/line.h
tests_unit_logd_line_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/log_text_fuzz
TESTS += tests/fuzz/log_text_fuzz
tests_fuzz_log_text_fuzz_SOURCES = tests/fuzz/log_text_fuzz.c \
	tests/fuzz/replay.c logd/line.c logd/line.h
