# SPDX-License-Identifier: ISC

# A unit test is one program, tests/unit/<path>/<stem>_test.c:
#	check_PROGRAMS += tests/unit/lib/base/buf_test
#	TESTS += tests/unit/lib/base/buf_test
#	tests_unit_lib_base_buf_test_SOURCES = tests/unit/lib/base/buf_test.c
#	tests_unit_lib_base_buf_test_LDADD = $(LDADD) -lcmocka
# Each folder lists its own in its own local.mk.
