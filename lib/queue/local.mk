# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/queue/drop_fields.def \
	lib/queue/drop_file.c lib/queue/drop_file.h \
	lib/queue/queue_crc.c lib/queue/queue_crc.h \
	lib/queue/queue_fields.def \
	lib/queue/queue_field.c lib/queue/queue_field.h \
	lib/queue/queue_file.h lib/queue/queue_layout.h \
	lib/queue/queue_id.c \
	lib/queue/queue_name.c \
	lib/queue/queue_reader.c \
	lib/queue/queue_reason.c lib/queue/queue_reason.h \
	lib/queue/queue_writer.c

check_PROGRAMS += tests/unit/lib/queue/queue_file_test
TESTS += tests/unit/lib/queue/queue_file_test
tests_unit_lib_queue_queue_file_test_SOURCES = \
	tests/unit/lib/queue/queue_file_test.c
tests_unit_lib_queue_queue_file_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_queue_queue_file_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=file_system_commit

check_PROGRAMS += tests/fuzz/queue_file_fuzz
TESTS += tests/fuzz/queue_file_fuzz
tests_fuzz_queue_file_fuzz_SOURCES = tests/fuzz/queue_file_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/queue/queue_reason_test
TESTS += tests/unit/lib/queue/queue_reason_test
tests_unit_lib_queue_queue_reason_test_SOURCES = \
	tests/unit/lib/queue/queue_reason_test.c
tests_unit_lib_queue_queue_reason_test_LDADD = $(LDADD) -lcmocka
libposthaste_a_SOURCES += lib/queue/queue_list.c lib/queue/queue_list.h

check_PROGRAMS += tests/unit/lib/queue/drop_file_test
TESTS += tests/unit/lib/queue/drop_file_test
tests_unit_lib_queue_drop_file_test_SOURCES = \
	tests/unit/lib/queue/drop_file_test.c
tests_unit_lib_queue_drop_file_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/drop_file_fuzz
TESTS += tests/fuzz/drop_file_fuzz
tests_fuzz_drop_file_fuzz_SOURCES = tests/fuzz/drop_file_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/queue/queue_claim_test
TESTS += tests/unit/lib/queue/queue_claim_test
tests_unit_lib_queue_queue_claim_test_SOURCES = \
	tests/unit/lib/queue/queue_claim_test.c
tests_unit_lib_queue_queue_claim_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/queue_reason_fuzz
TESTS += tests/fuzz/queue_reason_fuzz
tests_fuzz_queue_reason_fuzz_SOURCES = tests/fuzz/queue_reason_fuzz.c \
	tests/fuzz/replay.c
