# SPDX-License-Identifier: ISC
daemon_PROGRAMS += local/local
local_local_SOURCES = local/local.c local/ask_tables.c \
	local/ask_tables.h local/agent.h local/request.c \
	local/virtual.c local/maildir_group.c local/maildir_group.h \
	local/nowhere.c \
	local/pipe.c local/command.c local/command.h local/environment.c \
	local/environment.h local/exit_status.c local/exit_status.h \
	local/user.c local/local_state.h local/plan.c local/plan_alias.c \
	local/plan_expand.c local/plan_limits.c \
	local/perform.c local/user_files.c local/deliver_local.c \
	local/forward.c local/destinations.c local/destinations.h \
	local/person.c local/person.h

check_PROGRAMS += tests/unit/local/destinations_test \
	tests/unit/local/maildir_group_test \
	tests/unit/local/command_test tests/fuzz/destinations_fuzz
TESTS += tests/unit/local/destinations_test tests/unit/local/command_test \
	tests/unit/local/maildir_group_test \
	tests/fuzz/destinations_fuzz
tests_unit_local_destinations_test_SOURCES = \
	tests/unit/local/destinations_test.c local/destinations.c
tests_unit_local_destinations_test_LDADD = $(LDADD) -lcmocka
tests_unit_local_maildir_group_test_SOURCES = \
	tests/unit/local/maildir_group_test.c local/maildir_group.c \
	tests/unit/lib/store/folder.h
tests_unit_local_maildir_group_test_LDADD = $(LDADD) -lcmocka
tests_unit_local_maildir_group_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fsync,--wrap=syncfs,--wrap=futimens \
	-Wl,--wrap=file_system_takes_changes \
	-Wl,--wrap=identity_become,--wrap=identity_restore
tests_unit_local_command_test_SOURCES = tests/unit/local/command_test.c \
	local/command.c local/exit_status.c local/environment.c
tests_unit_local_command_test_LDADD = $(LDADD) -lcmocka
tests_unit_local_command_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=write
check_PROGRAMS += tests/fuzz/exit_status_fuzz
TESTS += tests/fuzz/exit_status_fuzz
tests_fuzz_exit_status_fuzz_SOURCES = tests/fuzz/exit_status_fuzz.c \
	tests/fuzz/replay.c local/exit_status.c local/exit_status.h
tests_fuzz_destinations_fuzz_SOURCES = tests/fuzz/destinations_fuzz.c \
	tests/fuzz/replay.c local/destinations.c
