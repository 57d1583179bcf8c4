# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/sasl/mechanisms.def \
	lib/sasl/exchange.c lib/sasl/exchange.h \
	lib/sasl/bearer.c lib/sasl/bearer.h \
	lib/sasl/password.c lib/sasl/password.h \
	lib/sasl/password_cost.c lib/sasl/password_cost.h \
	lib/sasl/sasl_check.c lib/sasl/sasl_check.h \
	lib/sasl/sasl_security.c lib/sasl/sasl_security.h

check_PROGRAMS += tests/unit/lib/sasl/sasl_security_test
TESTS += tests/unit/lib/sasl/sasl_security_test
tests_unit_lib_sasl_sasl_security_test_SOURCES = \
	tests/unit/lib/sasl/sasl_security_test.c
tests_unit_lib_sasl_sasl_security_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/sasl/password_test
TESTS += tests/unit/lib/sasl/password_test
tests_unit_lib_sasl_password_test_SOURCES = \
	tests/unit/lib/sasl/password_test.c
tests_unit_lib_sasl_password_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/sasl/bearer_test
TESTS += tests/unit/lib/sasl/bearer_test
tests_unit_lib_sasl_bearer_test_SOURCES = tests/unit/lib/sasl/bearer_test.c
tests_unit_lib_sasl_bearer_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/bearer_fuzz
TESTS += tests/fuzz/bearer_fuzz
tests_fuzz_bearer_fuzz_SOURCES = tests/fuzz/bearer_fuzz.c tests/fuzz/replay.c

check_PROGRAMS += tests/fuzz/exchange_fuzz
TESTS += tests/fuzz/exchange_fuzz
tests_fuzz_exchange_fuzz_SOURCES = tests/fuzz/exchange_fuzz.c \
	tests/fuzz/replay.c

# what costs time is played by the target
check_PROGRAMS += tests/fuzz/password_fuzz
TESTS += tests/fuzz/password_fuzz
tests_fuzz_password_fuzz_SOURCES = tests/fuzz/password_fuzz.c \
	tests/fuzz/replay.c
