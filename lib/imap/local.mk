# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/imap/imap_read.h lib/imap/imap_set.h \
	lib/imap/imap_write.h

libposthaste_a_SOURCES += lib/imap/imap_url.c lib/imap/imap_url.h
check_PROGRAMS += tests/unit/lib/imap/imap_url_test tests/fuzz/imap_url_fuzz
TESTS += tests/unit/lib/imap/imap_url_test tests/fuzz/imap_url_fuzz
tests_unit_lib_imap_imap_url_test_SOURCES = tests/unit/lib/imap/imap_url_test.c
tests_unit_lib_imap_imap_url_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_imap_url_fuzz_SOURCES = tests/fuzz/imap_url_fuzz.c \
	tests/fuzz/replay.c
