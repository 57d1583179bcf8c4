# SPDX-License-Identifier: ISC
keyring_sources = keyd/keyring.c keyd/keyring.h keyd/named.c keyd/named.h \
	keyd/signable.c keyd/signable.h

check_PROGRAMS += tests/unit/keyd/keyring_test
TESTS += tests/unit/keyd/keyring_test
tests_unit_keyd_keyring_test_SOURCES = tests/unit/keyd/keyring_test.c \
	$(keyring_sources)
tests_unit_keyd_keyring_test_LDADD = $(LDADD) -lcmocka

daemon_PROGRAMS += keyd/keyd
keyd_keyd_SOURCES = keyd/keyd.c $(keyring_sources)

check_PROGRAMS += tests/fuzz/signable_fuzz
TESTS += tests/fuzz/signable_fuzz
tests_fuzz_signable_fuzz_SOURCES = tests/fuzz/signable_fuzz.c tests/fuzz/replay.c \
	keyd/signable.c keyd/signable.h
