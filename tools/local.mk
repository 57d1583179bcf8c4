# SPDX-License-Identifier: ISC

sbin_PROGRAMS += tools/posttrace
tools_posttrace_SOURCES = tools/posttrace.c tools/log_line.c tools/log_line.h

sbin_PROGRAMS += tools/postlog
tools_postlog_SOURCES = tools/postlog.c

check_PROGRAMS += tests/unit/tools/log_line_test
TESTS += tests/unit/tools/log_line_test
tests_unit_tools_log_line_test_SOURCES = tests/unit/tools/log_line_test.c \
	tools/log_line.c
tests_unit_tools_log_line_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/log_line_fuzz
TESTS += tests/fuzz/log_line_fuzz
tests_fuzz_log_line_fuzz_SOURCES = tests/fuzz/log_line_fuzz.c \
	tests/fuzz/replay.c tools/log_line.c
