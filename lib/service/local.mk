# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/service/service.h \
	lib/service/programs.c lib/service/programs.h \
	lib/service/status_page.h lib/service/internal.h \
	lib/service/client_counts.c lib/service/client_counts.h \
	lib/service/ask_resolver.c lib/service/ask_resolver.h \
	lib/service/ask_server.c lib/service/ask_server.h \
	lib/service/arguments.c lib/service/certificates.c lib/service/askers.c lib/service/askers.h \
	lib/service/control.c lib/service/listen.c \
	lib/service/pool.c lib/service/question.c lib/service/run.c lib/service/run_one.c \
	lib/service/rest.c lib/service/run_requests.c lib/service/run_tasks.c \
	lib/service/slots.c lib/service/watchdog.c \
	lib/service/remote_key.c lib/service/remote_key.h
EXTRA_DIST += lib/service/programs.def

check_PROGRAMS += tests/unit/lib/service/service_test
TESTS += tests/unit/lib/service/service_test
tests_unit_lib_service_service_test_SOURCES = \
	tests/unit/lib/service/service_test.c
tests_unit_lib_service_service_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/service/watchdog_test
TESTS += tests/unit/lib/service/watchdog_test
tests_unit_lib_service_watchdog_test_SOURCES = \
	tests/unit/lib/service/watchdog_test.c
tests_unit_lib_service_watchdog_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/client_counts_fuzz
TESTS += tests/fuzz/client_counts_fuzz
tests_fuzz_client_counts_fuzz_SOURCES = tests/fuzz/client_counts_fuzz.c \
	tests/fuzz/scribbled.h tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/service/client_counts_test
TESTS += tests/unit/lib/service/client_counts_test
tests_unit_lib_service_client_counts_test_SOURCES = \
	tests/unit/lib/service/client_counts_test.c
tests_unit_lib_service_client_counts_test_LDADD = $(LDADD) -lcmocka
