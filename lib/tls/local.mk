# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/tls/ticket_root.c lib/tls/ticket_root.h \
	lib/tls/tls.h lib/tls/tls_internal.h lib/tls/tls_key.h \
	lib/tls/tls_check.c lib/tls/tls_check.h \
	lib/tls/tls_choice.c lib/tls/tls_choice.h \
	lib/tls/tls_context.c lib/tls/tls_context.h \
	lib/tls/tls_kept.c lib/tls/tls_kept.h \
	lib/tls/tls_load.c lib/tls/tls_pem.c \
	lib/tls/tls_protocols.c lib/tls/tls_protocols.h \
	lib/tls/tls_remote_key.c \
	lib/tls/tls_resume.c lib/tls/tls_resume.h \
	lib/tls/tls_session.c \
	lib/tls/tls_settings.c lib/tls/tls_settings.h \
	lib/tls/tls_ticket.c lib/tls/tls_ticket.h

check_PROGRAMS += tests/unit/lib/tls/tls_test
TESTS += tests/unit/lib/tls/tls_test
tests_unit_lib_tls_tls_test_SOURCES = tests/unit/lib/tls/tls_test.c
tests_unit_lib_tls_tls_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/tls/ticket_root_test
TESTS += tests/unit/lib/tls/ticket_root_test
tests_unit_lib_tls_ticket_root_test_SOURCES = \
	tests/unit/lib/tls/ticket_root_test.c
tests_unit_lib_tls_ticket_root_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/tls/tls_kept_test
TESTS += tests/unit/lib/tls/tls_kept_test
tests_unit_lib_tls_tls_kept_test_SOURCES = tests/unit/lib/tls/tls_kept_test.c
tests_unit_lib_tls_tls_kept_test_LDADD = $(LDADD) -lcmocka
