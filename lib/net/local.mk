# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/net/address.c lib/net/address.h \
	lib/net/connect.c lib/net/connect.h \
	lib/net/port.c lib/net/port.h \
	lib/net/proxy_header.c lib/net/proxy_header.h \
	lib/net/proxy_receive.c \
	lib/net/stream.c lib/net/stream.h lib/net/stream_internal.h \
	lib/net/stream_deflate.c lib/net/stream_output.c \
	lib/net/stream_pool.c lib/net/stream_pool.h lib/net/stream_raw.c \
	lib/net/stream_tls.c

check_PROGRAMS += tests/unit/lib/net/address_test
TESTS += tests/unit/lib/net/address_test
tests_unit_lib_net_address_test_SOURCES = tests/unit/lib/net/address_test.c
tests_unit_lib_net_address_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/net/port_test
TESTS += tests/unit/lib/net/port_test
tests_unit_lib_net_port_test_SOURCES = tests/unit/lib/net/port_test.c
tests_unit_lib_net_port_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/net/stream_test
TESTS += tests/unit/lib/net/stream_test
tests_unit_lib_net_stream_test_SOURCES = tests/unit/lib/net/stream_test.c
tests_unit_lib_net_stream_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/net/stream_tls_test
TESTS += tests/unit/lib/net/stream_tls_test
tests_unit_lib_net_stream_tls_test_SOURCES = \
	tests/unit/lib/net/stream_tls_test.c
tests_unit_lib_net_stream_tls_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/net/proxy_header_test
TESTS += tests/unit/lib/net/proxy_header_test
tests_unit_lib_net_proxy_header_test_SOURCES = \
	tests/unit/lib/net/proxy_header_test.c
tests_unit_lib_net_proxy_header_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/proxy_header_fuzz
TESTS += tests/fuzz/proxy_header_fuzz
tests_fuzz_proxy_header_fuzz_SOURCES = \
	tests/fuzz/proxy_header_fuzz.c tests/fuzz/replay.c
