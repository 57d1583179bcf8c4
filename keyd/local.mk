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
