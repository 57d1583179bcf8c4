# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/sandbox/sandbox.h lib/sandbox/become.c \
	lib/sandbox/internal.h lib/sandbox/landlock.c lib/sandbox/promise.c \
	lib/sandbox/conditions.c lib/sandbox/identity.c lib/sandbox/identity.h \
	lib/sandbox/capabilities.c lib/sandbox/denied.c

check_PROGRAMS += tests/unit/lib/sandbox/sandbox_test
TESTS += tests/unit/lib/sandbox/sandbox_test
tests_unit_lib_sandbox_sandbox_test_SOURCES = \
	tests/unit/lib/sandbox/sandbox_test.c
tests_unit_lib_sandbox_sandbox_test_LDADD = $(LDADD) -lcmocka
