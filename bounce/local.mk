# SPDX-License-Identifier: ISC
daemon_PROGRAMS += bounce/bounce
bounce_bounce_SOURCES = bounce/bounce.c bounce/compose.c bounce/compose.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/bounce/compose_test
TESTS += tests/unit/bounce/compose_test
endif
tests_unit_bounce_compose_test_SOURCES = tests/unit/bounce/compose_test.c \
	bounce/compose.c bounce/compose.h
tests_unit_bounce_compose_test_LDADD = $(LDADD) -lcmocka
