# SPDX-License-Identifier: ISC
auth_accounts = auth/accounts.c auth/accounts.h auth/passwd_file.c \
	auth/passwd_file.h auth/passwd_line.c auth/quota_rule.c \
	auth/quota_rule.h
auth_state = auth/state.c auth/state.h

daemon_PROGRAMS += auth/auth auth/auth-session auth/auth-pam
auth_auth_SOURCES = auth/auth.c auth/login.c auth/login.h $(auth_accounts) \
	$(auth_state)
auth_auth_session_SOURCES = auth/auth_session.c $(auth_accounts) $(auth_state)
auth_auth_pam_SOURCES = auth/auth_pam.c

check_PROGRAMS += tests/unit/auth/accounts_test tests/unit/auth/state_test \
	tests/unit/auth/login_test
TESTS += tests/unit/auth/accounts_test tests/unit/auth/state_test \
	tests/unit/auth/login_test
tests_unit_auth_accounts_test_SOURCES = tests/unit/auth/accounts_test.c \
	$(auth_accounts)
tests_unit_auth_accounts_test_LDADD = $(LDADD) -lcmocka
tests_unit_auth_state_test_SOURCES = tests/unit/auth/state_test.c $(auth_state)
tests_unit_auth_state_test_LDADD = $(LDADD) -lcmocka
tests_unit_auth_login_test_SOURCES = tests/unit/auth/login_test.c \
	auth/login.c auth/login.h $(auth_accounts)
tests_unit_auth_login_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/passwd_file_fuzz
TESTS += tests/fuzz/passwd_file_fuzz
tests_fuzz_passwd_file_fuzz_SOURCES = tests/fuzz/passwd_file_fuzz.c \
	auth/passwd_line.c auth/passwd_file.h auth/quota_rule.c \
	auth/quota_rule.h tests/fuzz/replay.c
