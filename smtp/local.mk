# SPDX-License-Identifier: ISC
daemon_PROGRAMS += smtp/smtp
smtp_parts = \
	smtp/ask_lookup.c smtp/ask_lookup.h \
	smtp/cache.c smtp/cache.h \
	smtp/commands.c smtp/commands.h \
	smtp/content.c smtp/content.h \
	smtp/delivery.c smtp/delivery.h \
	smtp/generic.c smtp/generic.h \
	smtp/extensions.def \
	smtp/greet.c smtp/greet.h \
	smtp/header_stream.c smtp/header_stream.h \
	smtp/hosts.c smtp/hosts.h \
	smtp/peer.c smtp/peer.h \
	smtp/policy.c smtp/policy.h \
	smtp/settings.c smtp/settings.h smtp/lmtp.def \
	smtp/transaction.c smtp/transaction.h
smtp_smtp_SOURCES = smtp/smtp.c $(smtp_parts)

check_PROGRAMS += tests/unit/smtp/greet_test tests/unit/smtp/header_stream_test \
	tests/unit/smtp/hosts_test
TESTS += tests/unit/smtp/greet_test tests/unit/smtp/header_stream_test \
	tests/unit/smtp/hosts_test
tests_unit_smtp_greet_test_SOURCES = tests/unit/smtp/greet_test.c $(smtp_parts)
tests_unit_smtp_greet_test_LDADD = $(LDADD) -lcmocka
tests_unit_smtp_header_stream_test_SOURCES = \
	tests/unit/smtp/header_stream_test.c smtp/header_stream.c
tests_unit_smtp_header_stream_test_LDADD = $(LDADD) -lcmocka
tests_unit_smtp_hosts_test_SOURCES = tests/unit/smtp/hosts_test.c $(smtp_parts)
tests_unit_smtp_hosts_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/smtp_reply_fuzz
TESTS += tests/fuzz/smtp_reply_fuzz
tests_fuzz_smtp_reply_fuzz_SOURCES = tests/fuzz/smtp_reply_fuzz.c tests/fuzz/replay.c \
	$(smtp_parts)
