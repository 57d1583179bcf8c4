# SPDX-License-Identifier: ISC
# all but main, for the tests as well
smtpd_parts = \
	smtpd/ask.c smtpd/ask.h \
	smtpd/attributes.c smtpd/attributes.h smtpd/attributes.def \
	smtpd/checks.h \
	smtpd/checks_access.c \
	smtpd/checks_lookup.c \
	smtpd/checks_names.c \
	smtpd/checks_simple.c \
	smtpd/chunk.c smtpd/chunk.h \
	smtpd/client_list.c smtpd/client_list.h \
	smtpd/config.c smtpd/config.h \
	smtpd/connect.c smtpd/connect.h \
	smtpd/data.c \
	smtpd/gate.c smtpd/gate.h \
	smtpd/hello.c \
	smtpd/identify.c smtpd/identify.h \
	smtpd/limits.c smtpd/limits.h \
	smtpd/login.c smtpd/login.h \
	smtpd/mail.c \
	smtpd/other.c \
	smtpd/rcpt.c \
	smtpd/reception.c smtpd/reception.h \
	smtpd/room.c smtpd/room.h \
	smtpd/resolve_cache.c smtpd/resolve_cache.h \
	smtpd/restriction.c smtpd/restriction.h \
	smtpd/access_actions.def smtpd/restrictions.def \
	smtpd/say.c \
	smtpd/scratch.c smtpd/scratch.h \
	smtpd/session.c smtpd/session.h \
	smtpd/starttls.c \
	smtpd/submission.c smtpd/submission.h \
	smtpd/verb.c smtpd/verb.h \
	smtpd/verbs.def \
	smtpd/whose_headers.c smtpd/whose_headers.h \
	smtpd/xclient.c \
	smtpd/xforward.c smtpd/xforward.h

daemon_PROGRAMS += smtpd/smtpd
smtpd_smtpd_SOURCES = smtpd/smtpd.c $(smtpd_parts)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/smtpd/client_list_test \
	tests/unit/smtpd/limits_test tests/unit/smtpd/session_test
TESTS += tests/unit/smtpd/client_list_test \
	tests/unit/smtpd/limits_test tests/unit/smtpd/session_test
endif
tests_unit_smtpd_client_list_test_SOURCES = \
	tests/unit/smtpd/client_list_test.c smtpd/client_list.c
tests_unit_smtpd_client_list_test_LDADD = $(LDADD) -lcmocka
tests_unit_smtpd_limits_test_SOURCES = tests/unit/smtpd/limits_test.c \
	smtpd/limits.c
tests_unit_smtpd_limits_test_LDADD = $(LDADD) -lcmocka
tests_unit_smtpd_session_test_SOURCES = tests/unit/smtpd/session_test.c \
	tests/unit/smtpd/fake_services.c tests/unit/smtpd/fake_services.h \
	$(smtpd_parts)
tests_unit_smtpd_session_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/fuzz/attributes_fuzz
TESTS += tests/fuzz/attributes_fuzz
tests_fuzz_attributes_fuzz_SOURCES = tests/fuzz/attributes_fuzz.c \
	tests/fuzz/replay.c
check_PROGRAMS += tests/fuzz/smtpd_session_fuzz
TESTS += tests/fuzz/smtpd_session_fuzz
tests_fuzz_smtpd_session_fuzz_SOURCES = tests/fuzz/smtpd_session_fuzz.c tests/fuzz/replay.c \
	tests/unit/smtpd/fake_services.c tests/unit/smtpd/fake_services.h \
	$(smtpd_parts)
