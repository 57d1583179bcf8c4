# SPDX-License-Identifier: ISC
auth_accounts = auth/account_text.c auth/accounts.c auth/accounts.h \
	auth/passwd_file.c auth/passwd_file.h auth/passwd_line.c \
	auth/table_accounts.c auth/table_accounts.h auth/watched_file.c \
	auth/watched_file.h auth/account_fields.def
auth_state = auth/state.c auth/state.h
auth_app_passwords = auth/app_password.c auth/app_password.h auth/app_use.c \
	auth/app_use.h auth/app_protocols.def
auth_login = auth/login.c auth/login.h auth/login_internal.h \
	auth/login_bearer.c auth/token_cache.c auth/token_cache.h \
	auth/app_passwords.c \
	auth/app_passwords.h $(auth_app_passwords)

daemon_PROGRAMS += auth/auth auth/auth-session auth/auth-pam \
	auth/auth-token
auth_auth_SOURCES = auth/auth.c $(auth_login) $(auth_accounts) $(auth_state)
auth_auth_session_SOURCES = auth/auth_session.c $(auth_accounts) $(auth_state)
auth_auth_pam_SOURCES = auth/auth_pam.c
auth_auth_token_SOURCES = auth/auth_token.c auth/checker.c auth/checker.h \
	auth/checker_answer.c

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
	$(auth_login) $(auth_accounts)
tests_unit_auth_login_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/auth/app_password_test
TESTS += tests/unit/auth/app_password_test
tests_unit_auth_app_password_test_SOURCES = \
	tests/unit/auth/app_password_test.c auth/app_passwords.c \
	auth/app_passwords.h $(auth_app_passwords) $(auth_accounts)
tests_unit_auth_app_password_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/app_password_fuzz
TESTS += tests/fuzz/app_password_fuzz
tests_fuzz_app_password_fuzz_SOURCES = tests/fuzz/app_password_fuzz.c \
	auth/app_password.c auth/app_password.h auth/passwd_line.c \
	auth/passwd_file.h tests/fuzz/replay.c

check_PROGRAMS += tests/fuzz/passwd_file_fuzz
TESTS += tests/fuzz/passwd_file_fuzz
tests_fuzz_passwd_file_fuzz_SOURCES = tests/fuzz/passwd_file_fuzz.c \
	auth/account_text.c auth/passwd_line.c auth/passwd_file.h \
	tests/fuzz/replay.c

check_PROGRAMS += tests/fuzz/checker_answer_fuzz
TESTS += tests/fuzz/checker_answer_fuzz
tests_fuzz_checker_answer_fuzz_SOURCES = tests/fuzz/checker_answer_fuzz.c \
	auth/checker_answer.c auth/checker.h tests/fuzz/replay.c

check_PROGRAMS += tests/unit/auth/token_test
TESTS += tests/unit/auth/token_test
tests_unit_auth_token_test_SOURCES = tests/unit/auth/token_test.c \
	auth/checker_answer.c auth/checker.h auth/token_cache.c \
	auth/token_cache.h
tests_unit_auth_token_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/state_fuzz
TESTS += tests/fuzz/state_fuzz
tests_fuzz_state_fuzz_SOURCES = tests/fuzz/state_fuzz.c \
	tests/fuzz/scribbled.h $(auth_state) tests/fuzz/replay.c

check_PROGRAMS += tests/fuzz/app_use_fuzz
TESTS += tests/fuzz/app_use_fuzz
tests_fuzz_app_use_fuzz_SOURCES = tests/fuzz/app_use_fuzz.c \
	tests/fuzz/scribbled.h auth/app_use.c auth/app_use.h \
	auth/app_password.h tests/fuzz/replay.c
