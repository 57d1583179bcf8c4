# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/conf/registry.c lib/conf/common.h \
	lib/conf/handed_on.c lib/conf/handed_on.h \
	lib/conf/conf.h lib/conf/master_cf.h lib/conf/param.h \
	lib/conf/conf.c lib/conf/conf_parts.h lib/conf/conf_expand.c \
	lib/conf/conf_read_value.c lib/conf/conf_fill.c \
	lib/conf/conf_snapshot.c lib/conf/conf_share.c lib/conf/conf_compute.c \
	lib/conf/conf_names.c lib/conf/conf_verdict.c \
	lib/conf/conf_check.c lib/conf/conf_slips.c lib/conf/conf_find.c lib/conf/master_cf.c \
	lib/conf/logical_lines.c lib/conf/logical_lines.h \
	lib/conf/receive_override.c lib/conf/receive_override.h
EXTRA_DIST += conf/compat.def
EXTRA_DIST += lib/conf/params.def smtpd/params.def cleanup/params.def \
	qmgr/params.def smtp/params.def local/params.def bounce/params.def \
	pickup/params.def lookup/params.def auth/params.def keyd/params.def \
	pop3d/params.def imapd/params.def logd/params.def \
	master/params.def \
	lib/tls/params.def lib/store/params.def tools/params.def
check_PROGRAMS += tests/unit/lib/conf/conf_test
TESTS += tests/unit/lib/conf/conf_test
tests_unit_lib_conf_conf_test_SOURCES = tests/unit/lib/conf/conf_test.c
tests_unit_lib_conf_conf_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/unit/lib/conf/master_cf_test
TESTS += tests/unit/lib/conf/master_cf_test
tests_unit_lib_conf_master_cf_test_SOURCES = \
	tests/unit/lib/conf/master_cf_test.c
tests_unit_lib_conf_master_cf_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/unit/lib/conf/verdict_test
TESTS += tests/unit/lib/conf/verdict_test
tests_unit_lib_conf_verdict_test_SOURCES = tests/unit/lib/conf/verdict_test.c
tests_unit_lib_conf_verdict_test_LDADD = $(LDADD) -lcmocka
EXTRA_DIST += tests/data/postfix_settings
check_PROGRAMS += tests/fuzz/main_cf_fuzz tests/fuzz/master_cf_fuzz
TESTS += tests/fuzz/main_cf_fuzz tests/fuzz/master_cf_fuzz
tests_fuzz_main_cf_fuzz_SOURCES = tests/fuzz/main_cf_fuzz.c \
	tests/fuzz/replay.c
tests_fuzz_master_cf_fuzz_SOURCES = tests/fuzz/master_cf_fuzz.c \
	tests/fuzz/replay.c
check_PROGRAMS += tests/fuzz/conf_expand_fuzz
TESTS += tests/fuzz/conf_expand_fuzz
tests_fuzz_conf_expand_fuzz_SOURCES = tests/fuzz/conf_expand_fuzz.c \
	tests/fuzz/replay.c
