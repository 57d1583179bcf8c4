# SPDX-License-Identifier: ISC
daemon_PROGRAMS += lookup/lookup lookup/lookup-smtp lookup/lookup-server \
	lookup/lookup-smtp-server lookup/lookup-auth-server
lookup_query = lookup/query.c lookup/query.h \
	lookup/service_settings.c lookup/service_settings.h \
	lookup/query_service.c lookup/query_service.h
lookup_parts = \
	lookup/address_map.c lookup/address_map.h \
	lookup/classify.c lookup/classify.h \
	lookup/maps.c lookup/maps.h \
	lookup/masquerade.c lookup/masquerade.h \
	lookup/own_addresses.c lookup/own_addresses.h \
	lookup/recipient.c lookup/recipient.h \
	lookup/routing.c lookup/routing.h
lookup_lookup_SOURCES = lookup/lookup.c lookup/views.c lookup/views.h \
	lookup/address_query.c lookup/address_query.h \
	$(lookup_parts) $(lookup_query)
lookup_lookup_smtp_SOURCES = lookup/lookup_smtp.c \
	lookup/address_query.c lookup/address_query.h \
	lookup/generic.c lookup/generic.h $(lookup_parts) $(lookup_query)
lookup_lookup_server_SOURCES = lookup/lookup_server.c $(lookup_query)
lookup_lookup_smtp_server_SOURCES = lookup/lookup_smtp_server.c $(lookup_query)
lookup_lookup_auth_server_SOURCES = lookup/lookup_auth_server.c $(lookup_query)

check_PROGRAMS += tests/unit/lookup/recipient_test
TESTS += tests/unit/lookup/recipient_test
tests_unit_lookup_recipient_test_SOURCES = \
	tests/unit/lookup/recipient_test.c $(lookup_parts)
tests_unit_lookup_recipient_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/recipient_fuzz
TESTS += tests/fuzz/recipient_fuzz
tests_fuzz_recipient_fuzz_SOURCES = tests/fuzz/recipient_fuzz.c \
	tests/fuzz/replay.c $(lookup_parts)
