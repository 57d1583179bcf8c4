# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/dns/dns.c lib/dns/dns.h \
	lib/dns/dns_answer.c lib/dns/dns_answer.h \
	lib/dns/dns_channel.c lib/dns/dns_channel.h \
	lib/dns/dns_hosts.c lib/dns/dns_hosts.h \
	lib/dns/dns_names.c lib/dns/dns_names.h \
	lib/dns/dns_query.c lib/dns/dns_query.h

check_PROGRAMS += tests/unit/lib/dns/dns_test
TESTS += tests/unit/lib/dns/dns_test
tests_unit_lib_dns_dns_test_SOURCES = tests/unit/lib/dns/dns_test.c
tests_unit_lib_dns_dns_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/dns/dns_query_test
TESTS += tests/unit/lib/dns/dns_query_test
tests_unit_lib_dns_dns_query_test_SOURCES = tests/unit/lib/dns/dns_query_test.c
tests_unit_lib_dns_dns_query_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/dns_answer_fuzz
TESTS += tests/fuzz/dns_answer_fuzz
tests_fuzz_dns_answer_fuzz_SOURCES = tests/fuzz/dns_answer_fuzz.c \
	tests/fuzz/replay.c
