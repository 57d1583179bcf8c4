# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/table/alias_text.c lib/table/alias_text.h \
	lib/table/cdb_file.c lib/table/cdb_file.h \
	lib/table/cidr.h \
	lib/table/client_settings.def \
	lib/table/client_config.c lib/table/client_config.h \
	lib/table/key_format.c lib/table/key_format.h \
	lib/table/lines.c lib/table/lines.h \
	lib/table/lmdb_file.c lib/table/lmdb_file.h \
	lib/table/lmdb_write.c \
	lib/table/loaded.c lib/table/loaded.h \
	lib/table/main_setting.c lib/table/main_setting.h \
	lib/table/match_list.c \
	lib/table/module.h \
	lib/table/module_load.c lib/table/module_load.h \
	lib/table/network.c lib/table/network.h \
	lib/table/network_order.c lib/table/network_order.h \
	lib/table/pattern.c lib/table/pattern.h \
	lib/table/pattern_needs.c lib/table/pattern_needs.h \
	lib/table/rule_chain.c lib/table/rule_chain.h \
	lib/table/server_set.c lib/table/server_set.h \
	lib/table/source.c lib/table/source.h \
	lib/table/types.def \
	lib/table/table.c lib/table/table.h \
	lib/table/table_build.c \
	lib/table/table_cdb.c \
	lib/table/table_check.c lib/table/table_check.h \
	lib/table/table_check_servers.c lib/table/table_check_servers.h \
	lib/table/table_cidr.c \
	lib/table/table_client.c lib/table/table_client.h \
	lib/table/table_environ.c \
	lib/table/table_group.c \
	lib/table/table_inline.c \
	lib/table/table_list.c \
	lib/table/table_memcache.c \
	lib/table/table_pcre.c \
	lib/table/regexp_cost.c \
	lib/table/regexp_cost.h \
	lib/table/table_regexp.c \
	lib/table/table_remote.c \
	lib/table/table_settings.c lib/table/table_settings.h \
	lib/table/table_socketmap.c \
	lib/table/table_static.c \
	lib/table/table_tcp.c \
	lib/table/table_text.c \
	lib/table/table_unix.c \
	lib/table/text_map.c lib/table/text_map.h \
	lib/table/text_source.c lib/table/text_source.h \
	lib/table/type.h \
	lib/table/folder_events.c lib/table/folder_events.h \
	lib/table/watch.c lib/table/watch.h \
	lib/table/wire.c lib/table/wire.h lib/table/wire_answers.h \
	lib/table/words.c lib/table/words.h

check_PROGRAMS += \
	tests/unit/lib/table/match_list_test \
	tests/unit/lib/table/network_order_test \
	tests/unit/lib/table/pattern_needs_test \
	tests/unit/lib/table/pattern_test \
	tests/unit/lib/table/regexp_cost_test \
	tests/unit/lib/table/watch_test \
	tests/unit/lib/table/table_test \
	tests/unit/lib/table/cdb_file_test \
	tests/unit/lib/table/lmdb_file_test \
	tests/unit/lib/table/table_build_test \
	tests/unit/lib/table/table_check_test \
	tests/fuzz/cidr_fuzz \
	tests/fuzz/pattern_fuzz \
	tests/fuzz/table_source_fuzz
TESTS += \
	tests/unit/lib/table/match_list_test \
	tests/unit/lib/table/network_order_test \
	tests/unit/lib/table/pattern_needs_test \
	tests/unit/lib/table/pattern_test \
	tests/unit/lib/table/regexp_cost_test \
	tests/unit/lib/table/watch_test \
	tests/unit/lib/table/table_test \
	tests/unit/lib/table/cdb_file_test \
	tests/unit/lib/table/lmdb_file_test \
	tests/unit/lib/table/table_build_test \
	tests/unit/lib/table/table_check_test \
	tests/fuzz/cidr_fuzz \
	tests/fuzz/pattern_fuzz \
	tests/fuzz/table_source_fuzz
tests_unit_lib_table_match_list_test_SOURCES = tests/unit/lib/table/match_list_test.c
tests_unit_lib_table_match_list_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_regexp_cost_test_SOURCES = tests/unit/lib/table/regexp_cost_test.c
tests_unit_lib_table_watch_test_SOURCES = tests/unit/lib/table/watch_test.c
tests_unit_lib_table_regexp_cost_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_watch_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_network_order_test_SOURCES = \
	tests/unit/lib/table/network_order_test.c
tests_unit_lib_table_network_order_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_pattern_needs_test_SOURCES = \
	tests/unit/lib/table/pattern_needs_test.c
tests_unit_lib_table_pattern_needs_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_pattern_test_SOURCES = tests/unit/lib/table/pattern_test.c
tests_unit_lib_table_pattern_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_table_test_SOURCES = tests/unit/lib/table/table_test.c
tests_unit_lib_table_table_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_cdb_file_test_SOURCES = \
	tests/unit/lib/table/cdb_file_test.c tests/unit/lib/table/walk.h
tests_unit_lib_table_cdb_file_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_lmdb_file_test_SOURCES = \
	tests/unit/lib/table/lmdb_file_test.c tests/unit/lib/table/walk.h
tests_unit_lib_table_lmdb_file_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_table_build_test_SOURCES = tests/unit/lib/table/table_build_test.c
tests_unit_lib_table_table_build_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_table_table_build_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=file_system_commit
tests_fuzz_cidr_fuzz_SOURCES = tests/fuzz/cidr_fuzz.c tests/fuzz/replay.c
tests_fuzz_pattern_fuzz_SOURCES = tests/fuzz/pattern_fuzz.c tests/fuzz/replay.c
tests_fuzz_table_source_fuzz_SOURCES = tests/fuzz/table_source_fuzz.c tests/fuzz/replay.c
tests_unit_lib_table_table_check_test_SOURCES = \
	tests/unit/lib/table/table_check_test.c
tests_unit_lib_table_table_check_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/table/wire_test
TESTS += tests/unit/lib/table/wire_test
tests_unit_lib_table_wire_test_SOURCES = tests/unit/lib/table/wire_test.c
tests_unit_lib_table_wire_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/unit/lib/table/server_table_test \
	tests/fuzz/table_settings_fuzz tests/fuzz/wire_answers_fuzz
TESTS += tests/unit/lib/table/server_table_test \
	tests/fuzz/table_settings_fuzz tests/fuzz/wire_answers_fuzz
tests_unit_lib_table_server_table_test_SOURCES = \
	tests/unit/lib/table/server_table_test.c
tests_unit_lib_table_server_table_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_table_settings_fuzz_SOURCES = tests/fuzz/table_settings_fuzz.c \
	tests/fuzz/replay.c
tests_fuzz_wire_answers_fuzz_SOURCES = tests/fuzz/wire_answers_fuzz.c \
	tests/fuzz/replay.c
check_PROGRAMS += tests/fuzz/alias_text_fuzz tests/fuzz/table_spec_fuzz
check_PROGRAMS += tests/fuzz/lmdb_file_fuzz tests/fuzz/cdb_file_fuzz
TESTS += tests/fuzz/alias_text_fuzz tests/fuzz/table_spec_fuzz
TESTS += tests/fuzz/lmdb_file_fuzz tests/fuzz/cdb_file_fuzz
tests_fuzz_cdb_file_fuzz_SOURCES = tests/fuzz/cdb_file_fuzz.c \
	tests/fuzz/replay.c tests/unit/lib/table/walk.h
tests_fuzz_lmdb_file_fuzz_SOURCES = tests/fuzz/lmdb_file_fuzz.c \
	tests/fuzz/replay.c tests/unit/lib/table/walk.h
tests_fuzz_alias_text_fuzz_SOURCES = tests/fuzz/alias_text_fuzz.c tests/fuzz/replay.c
tests_fuzz_table_spec_fuzz_SOURCES = tests/fuzz/table_spec_fuzz.c tests/fuzz/replay.c
check_PROGRAMS += tests/fuzz/match_list_fuzz
TESTS += tests/fuzz/match_list_fuzz
tests_fuzz_match_list_fuzz_SOURCES = tests/fuzz/match_list_fuzz.c tests/fuzz/replay.c
