# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/imap/imap_arg.c \
	lib/imap/imap_date.c lib/imap/imap_date.h \
	lib/imap/imap_parse.c lib/imap/imap_parse.h \
	lib/imap/imap_read.c lib/imap/imap_read.h \
	lib/imap/imap_set.c lib/imap/imap_set.h \
	lib/imap/imap_utf7.c lib/imap/imap_utf7.h \
	lib/imap/imap_write.c lib/imap/imap_write.h

check_PROGRAMS += tests/unit/lib/imap/imap_read_test \
	tests/unit/lib/imap/imap_write_test tests/unit/lib/imap/imap_date_test \
	tests/fuzz/imap_read_fuzz tests/fuzz/imap_write_fuzz \
	tests/fuzz/imap_utf7_fuzz
TESTS += tests/unit/lib/imap/imap_read_test \
	tests/unit/lib/imap/imap_write_test tests/unit/lib/imap/imap_date_test \
	tests/fuzz/imap_read_fuzz tests/fuzz/imap_write_fuzz \
	tests/fuzz/imap_utf7_fuzz
tests_unit_lib_imap_imap_read_test_SOURCES = \
	tests/unit/lib/imap/imap_read_test.c tests/unit/lib/imap/script.h
tests_unit_lib_imap_imap_read_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_imap_imap_write_test_SOURCES = \
	tests/unit/lib/imap/imap_write_test.c
tests_unit_lib_imap_imap_write_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_imap_imap_date_test_SOURCES = \
	tests/unit/lib/imap/imap_date_test.c
tests_unit_lib_imap_imap_date_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_imap_read_fuzz_SOURCES = tests/fuzz/imap_read_fuzz.c \
	tests/fuzz/replay.c tests/unit/lib/imap/script.h
tests_fuzz_imap_write_fuzz_SOURCES = tests/fuzz/imap_write_fuzz.c \
	tests/fuzz/replay.c
tests_fuzz_imap_utf7_fuzz_SOURCES = tests/fuzz/imap_utf7_fuzz.c \
	tests/fuzz/replay.c

libposthaste_a_SOURCES += lib/imap/imap_url.c lib/imap/imap_url.h
check_PROGRAMS += tests/unit/lib/imap/imap_url_test tests/fuzz/imap_url_fuzz
TESTS += tests/unit/lib/imap/imap_url_test tests/fuzz/imap_url_fuzz
tests_unit_lib_imap_imap_url_test_SOURCES = tests/unit/lib/imap/imap_url_test.c
tests_unit_lib_imap_imap_url_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_imap_url_fuzz_SOURCES = tests/fuzz/imap_url_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/imap/imap_set_test tests/fuzz/imap_set_fuzz
TESTS += tests/unit/lib/imap/imap_set_test tests/fuzz/imap_set_fuzz
tests_unit_lib_imap_imap_set_test_SOURCES = \
	tests/unit/lib/imap/imap_set_test.c
tests_unit_lib_imap_imap_set_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_imap_set_fuzz_SOURCES = tests/fuzz/imap_set_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/fuzz/dates_fuzz
TESTS += tests/fuzz/dates_fuzz
tests_fuzz_dates_fuzz_SOURCES = tests/fuzz/dates_fuzz.c tests/fuzz/replay.c
