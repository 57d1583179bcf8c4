# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/base/base64.c lib/base/base64.h \
	lib/base/buf.c lib/base/buf.h \
	lib/base/months.def \
	lib/base/clock.c lib/base/clock.h \
	lib/base/compat_sanitizer.c lib/base/compat_sanitizer.h \
	lib/base/ensure.c lib/base/ensure.h \
	lib/base/fdio.c lib/base/fdio.h \
	lib/base/file_system.c lib/base/file_system.h \
	lib/base/hash_table.h lib/base/hex.c lib/base/hex.h \
	lib/base/keyed_hash.c lib/base/keyed_hash.h \
	lib/base/mem.c lib/base/mem.h \
	lib/base/process.c lib/base/process.h \
	lib/base/span.c lib/base/span.h \
	lib/base/thread.c lib/base/thread.h \
	lib/base/why.c lib/base/why.h

check_PROGRAMS += tests/unit/lib/base/buf_test
TESTS += tests/unit/lib/base/buf_test
tests_unit_lib_base_buf_test_SOURCES = tests/unit/lib/base/buf_test.c
tests_unit_lib_base_buf_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/unit/lib/base/keyed_hash_test
TESTS += tests/unit/lib/base/keyed_hash_test
tests_unit_lib_base_keyed_hash_test_SOURCES = \
	tests/unit/lib/base/keyed_hash_test.c
tests_unit_lib_base_keyed_hash_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/unit/lib/base/mem_test
TESTS += tests/unit/lib/base/mem_test
tests_unit_lib_base_mem_test_SOURCES = tests/unit/lib/base/mem_test.c
tests_unit_lib_base_mem_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/base64_fuzz
TESTS += tests/fuzz/base64_fuzz
tests_fuzz_base64_fuzz_SOURCES = tests/fuzz/base64_fuzz.c tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/base/fdio_test
TESTS += tests/unit/lib/base/fdio_test
tests_unit_lib_base_fdio_test_SOURCES = tests/unit/lib/base/fdio_test.c
tests_unit_lib_base_fdio_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_base_fdio_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fstatfs,--wrap=ioctl
check_PROGRAMS += tests/unit/lib/base/file_system_test
TESTS += tests/unit/lib/base/file_system_test
tests_unit_lib_base_file_system_test_SOURCES = \
	tests/unit/lib/base/file_system_test.c
tests_unit_lib_base_file_system_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_base_file_system_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fstatfs,--wrap=fsync,--wrap=syncfs,--wrap=futimens \
	-Wl,--wrap=fstatat,--wrap=readlink,--wrap=open
