# SPDX-License-Identifier: ISC
daemon_PROGRAMS += pop3d/pop3d pop3d/pop3d-session
pop3d_pop3d_SOURCES = pop3d/pop3d.c pop3d/authorization.h \
	pop3d/authorization.c pop3d/command.c pop3d/command.h
pop3d_pop3d_session_SOURCES = pop3d/pop3d_session.c pop3d/session.h \
	pop3d/verbs.def \
	pop3d/dialogue.c pop3d/send_message.c \
	pop3d/unique_ids.c pop3d/unique_ids.h \
	pop3d/command.c pop3d/command.h

check_PROGRAMS += tests/unit/pop3d/command_test \
	tests/unit/pop3d/send_message_test tests/fuzz/pop3_command_fuzz
TESTS += tests/unit/pop3d/command_test tests/unit/pop3d/send_message_test \
	tests/fuzz/pop3_command_fuzz
tests_unit_pop3d_command_test_SOURCES = tests/unit/pop3d/command_test.c \
	pop3d/command.c pop3d/command.h
tests_unit_pop3d_command_test_LDADD = $(LDADD) -lcmocka
tests_unit_pop3d_send_message_test_SOURCES = \
	tests/unit/pop3d/send_message_test.c pop3d/send_message.c \
	pop3d/session.h
tests_unit_pop3d_send_message_test_LDADD = $(LDADD) -lcmocka -lpthread
tests_fuzz_pop3_command_fuzz_SOURCES = tests/fuzz/pop3_command_fuzz.c \
	pop3d/command.c pop3d/command.h tests/fuzz/replay.c

check_PROGRAMS += tests/fuzz/pop3_session_fuzz tests/fuzz/login_dialogue_fuzz
TESTS += tests/fuzz/pop3_session_fuzz tests/fuzz/login_dialogue_fuzz
tests_fuzz_pop3_session_fuzz_SOURCES = tests/fuzz/pop3_session_fuzz.c \
	tests/fuzz/replay.c tests/fuzz/mail_tree.h tests/fuzz/talk.h \
	tests/fuzz/defaults.c tests/fuzz/defaults.h \
	pop3d/session.h pop3d/dialogue.c pop3d/send_message.c \
	pop3d/unique_ids.h pop3d/command.c pop3d/command.h
# what is said before the login, by POP3 and by IMAP
tests_fuzz_login_dialogue_fuzz_SOURCES = tests/fuzz/login_dialogue_fuzz.c \
	tests/fuzz/replay.c tests/fuzz/talk.h \
	tests/fuzz/defaults.c tests/fuzz/defaults.h \
	pop3d/authorization.c pop3d/authorization.h pop3d/command.c \
	pop3d/command.h imapd/prelogin.c imapd/prelogin.h imapd/client_id.c \
	imapd/client_id.h
