# SPDX-License-Identifier: ISC
daemon_PROGRAMS += bounce/bounce
bounce_bounce_SOURCES = bounce/bounce.c bounce/compose.c bounce/compose.h \
	bounce/report_fields.def bounce/templates.def \
	bounce/template.c bounce/template.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/bounce/compose_test \
	tests/unit/bounce/template_test
TESTS += tests/unit/bounce/compose_test tests/unit/bounce/template_test
endif
tests_unit_bounce_compose_test_SOURCES = tests/unit/bounce/compose_test.c \
	bounce/compose.c bounce/compose.h
tests_unit_bounce_compose_test_LDADD = $(LDADD) -lcmocka
tests_unit_bounce_template_test_SOURCES = tests/unit/bounce/template_test.c \
	bounce/template.c bounce/template.h
tests_unit_bounce_template_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/report_fuzz
TESTS += tests/fuzz/report_fuzz
tests_fuzz_report_fuzz_SOURCES = tests/fuzz/report_fuzz.c tests/fuzz/replay.c \
	bounce/compose.c bounce/compose.h
check_PROGRAMS += tests/fuzz/bounce_template_fuzz
TESTS += tests/fuzz/bounce_template_fuzz
tests_fuzz_bounce_template_fuzz_SOURCES = tests/fuzz/bounce_template_fuzz.c tests/fuzz/replay.c \
	bounce/template.c bounce/template.h
