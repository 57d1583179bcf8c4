# SPDX-License-Identifier: ISC
daemon_PROGRAMS += master/master
master_master_SOURCES = master/master.c master/master.h \
	master/absorbed.c master/absorbed.h \
	master/broker.c master/complain.c master/complain.h \
	master/endpoint.c master/endpoint.h \
	master/handover.c master/notify.c master/plan.c master/plan.h \
	master/mend.c master/reload.c master/renewal.c \
	master/relaying_check.c master/relaying_check.h \
	master/report.c master/report.h \
	master/restrictions_check.c master/restrictions_check.h \
	master/options_check.c master/options_check.h \
	master/service.c master/services_check.c master/services_check.h \
	master/access_check.c master/access_check.h \
	master/settings_check.c master/settings_check.h \
	master/site_check.c master/site_check.h \
	master/table_text.c master/table_text.h \
	master/spawn.c master/stop.c \
	master/supervisor.c master/take_queue.c \
	master/unix_peer.c master/unix_peer.h
EXTRA_DIST += master/absorbed.def

check_PROGRAMS += tests/unit/master/endpoint_test
TESTS += tests/unit/master/endpoint_test
tests_unit_master_endpoint_test_SOURCES = tests/unit/master/endpoint_test.c \
	master/endpoint.c master/endpoint.h master/absorbed.c master/absorbed.h
tests_unit_master_endpoint_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/master/unix_peer_test
TESTS += tests/unit/master/unix_peer_test
tests_unit_master_unix_peer_test_SOURCES = \
	tests/unit/master/unix_peer_test.c master/unix_peer.c
tests_unit_master_unix_peer_test_LDADD = $(LDADD) -lcmocka
