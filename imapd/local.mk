# SPDX-License-Identifier: ISC
# The login stage, and the session stage: its frame first, then the families
# of commands, a line each.
daemon_PROGRAMS += imapd/imapd imapd/imapd-session
imapd_imapd_SOURCES = imapd/imapd.c imapd/prelogin.c imapd/prelogin.h \
	imapd/client_id.c imapd/client_id.h
imapd_imapd_session_SOURCES = imapd/imapd_session.c imapd/session.h
imapd_imapd_session_LDADD = imapd/libimapd.a $(LDADD)
EXTRA_DIST += imapd/verbs.def imapd/capabilities.def imapd/session.h \
	imapd/acl_words.def imapd/search_words.def

# The session stage without its main: the frame (wire, states, what is told),
# then each family of commands adds its files.
noinst_LIBRARIES += imapd/libimapd.a
imapd_parked = imapd/parked_state.c imapd/parked_state.h imapd/packed.c \
	imapd/packed.h imapd/parked_context.c imapd/parked_context.h \
	imapd/parked_told.c imapd/parked_told.h
imapd_libimapd_a_SOURCES = imapd/session.h imapd/imap_session.c \
	imapd/reply.c imapd/tell.c imapd/arguments.c imapd/wait.c \
	imapd/client_id.c imapd/client_id.h \
	imapd/basic.c imapd/basic.h imapd/select.c imapd/idle.c \
	imapd/park.c imapd/park.h imapd/arguments_text.c \
	imapd/arguments_text.h $(imapd_parked)

# commands that change messages
imapd_changing = imapd/changing.h imapd/store_flags.c imapd/expunge.c \
	imapd/copy.c imapd/condstore.c imapd/append.h imapd/append.c \
	imapd/append_binary.c \
	imapd/catenate.c imapd/replace.c
imapd_libimapd_a_SOURCES += $(imapd_changing)
# Commands on mailboxes as such.
imapd_mailbox_commands = imapd/list_pattern.c imapd/list_pattern.h \
	imapd/list_request.c imapd/list_request.h imapd/list.c imapd/list.h \
	imapd/folders.c imapd/folders.h imapd/namespace.c imapd/namespace.h \
	imapd/status.c imapd/status.h imapd/metadata.c imapd/metadata.h \
	imapd/acl.c imapd/acl.h imapd/acl_list.c imapd/acl_list.h \
	imapd/namespaces.c imapd/namespaces.h imapd/namespaces_internal.h \
	imapd/namespaces_list.c imapd/quota.c imapd/quota.h imapd/notify.c imapd/notify.h \
	imapd/notify_request.c imapd/notify_request.h \
	imapd/notify_folders.c imapd/notify_folders.h
imapd_libimapd_a_SOURCES += $(imapd_mailbox_commands)

check_PROGRAMS += tests/unit/imapd/list_pattern_test \
	tests/unit/imapd/acl_list_test
TESTS += tests/unit/imapd/list_pattern_test tests/unit/imapd/acl_list_test
tests_unit_imapd_list_pattern_test_SOURCES = \
	tests/unit/imapd/list_pattern_test.c imapd/list_pattern.c \
	imapd/list_pattern.h
tests_unit_imapd_list_pattern_test_LDADD = $(LDADD) -lcmocka

# SEARCH, SORT, THREAD
imapd_searching = imapd/search.c imapd/search.h \
	imapd/search_key_internal.h imapd/search_key_words.c \
	imapd/search_key.c \
	imapd/search_key.h imapd/search_return.c imapd/search_return.h \
	imapd/search_run.c imapd/search_run.h \
	imapd/search_header.c imapd/search_header.h \
	imapd/search_message.c imapd/search_message.h \
	imapd/search_plain.c imapd/search_plain.h \
	imapd/search_text.c imapd/search_text.h \
	imapd/search_words.c imapd/search_words.h \
	imapd/esearch.c imapd/esearch.h imapd/multisearch.c \
	imapd/context.c imapd/context.h imapd/message_id.c \
	imapd/sort.c imapd/sort.h imapd/sort_key.c imapd/sort_key.h \
	imapd/sort_command.c imapd/thread.c imapd/thread.h \
	imapd/thread_command.c imapd/thread_forest.c imapd/thread_table.c \
	imapd/thread_tree.c imapd/thread_internal.h
imapd_libimapd_a_SOURCES += $(imapd_searching)
tests_unit_imapd_acl_list_test_SOURCES = tests/unit/imapd/acl_list_test.c \
	imapd/acl_list.c imapd/acl_list.h
tests_unit_imapd_acl_list_test_LDADD = $(LDADD) -lcmocka

# FETCH
imapd_fetching = imapd/body_structure.c imapd/body_structure.h \
	imapd/envelope.c imapd/envelope.h imapd/fetch.c imapd/fetch.h \
	imapd/fetch_fields.c imapd/fetch_items.c imapd/fetch_kept.h imapd/fetch_message.c \
	imapd/fetch_preview.c imapd/fetch_pump.c imapd/fetch_pump.h \
	imapd/fetch_section.c imapd/fetch_text.c imapd/section.c \
	imapd/section.h imapd/thread_id.c imapd/thread_id.h
imapd_libimapd_a_SOURCES += $(imapd_fetching)
check_PROGRAMS += tests/unit/imapd/envelope_test tests/fuzz/body_structure_fuzz
TESTS += tests/unit/imapd/envelope_test tests/fuzz/body_structure_fuzz
tests_unit_imapd_envelope_test_SOURCES = tests/unit/imapd/envelope_test.c \
	imapd/envelope.c imapd/body_structure.c
tests_unit_imapd_envelope_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_body_structure_fuzz_SOURCES = tests/fuzz/body_structure_fuzz.c \
	tests/fuzz/replay.c imapd/envelope.c imapd/body_structure.c

imapd_search_tests = tests/unit/imapd/search_key_test \
	tests/unit/imapd/search_header_test tests/unit/imapd/thread_test \
	tests/fuzz/search_key_fuzz tests/fuzz/references_fuzz \
	tests/fuzz/search_text_fuzz tests/unit/imapd/search_ahead_test
check_PROGRAMS += $(imapd_search_tests)
TESTS += $(imapd_search_tests)
tests_unit_imapd_search_key_test_SOURCES = \
	tests/unit/imapd/search_key_test.c tests/unit/imapd/words.h \
	imapd/search_key_internal.h imapd/search_key_words.c \
	imapd/search_key.c imapd/search_key.h
tests_unit_imapd_search_key_test_LDADD = $(LDADD) -lcmocka
tests_unit_imapd_search_header_test_SOURCES = \
	tests/unit/imapd/search_header_test.c imapd/search_header.c \
	imapd/search_header.h imapd/search_words.c imapd/search_words.h \
	imapd/sort_key.c imapd/sort_key.h imapd/message_id.c
tests_unit_imapd_search_header_test_LDADD = $(LDADD) -lcmocka
imapd_threads = imapd/thread.c imapd/thread.h imapd/thread_forest.c \
	imapd/thread_internal.h imapd/thread_table.c imapd/thread_tree.c \
	imapd/sort_key.c imapd/sort_key.h imapd/message_id.c
tests_unit_imapd_thread_test_SOURCES = tests/unit/imapd/thread_test.c \
	$(imapd_threads)
tests_unit_imapd_thread_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_search_key_fuzz_SOURCES = tests/fuzz/search_key_fuzz.c \
	tests/fuzz/replay.c tests/unit/imapd/words.h \
	imapd/search_key_internal.h imapd/search_key_words.c \
	imapd/search_key.c \
	imapd/search_key.h
tests_fuzz_references_fuzz_SOURCES = tests/fuzz/references_fuzz.c \
	tests/fuzz/replay.c $(imapd_threads)

# login and parking
check_PROGRAMS += tests/unit/imapd/parked_state_test
TESTS += tests/unit/imapd/parked_state_test
tests_unit_imapd_parked_state_test_SOURCES = \
	tests/unit/imapd/parked_state_test.c $(imapd_parked)
tests_unit_imapd_parked_state_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/acl_list_fuzz tests/fuzz/list_pattern_fuzz \
	tests/fuzz/maildir_size_fuzz
TESTS += tests/fuzz/acl_list_fuzz tests/fuzz/list_pattern_fuzz \
	tests/fuzz/maildir_size_fuzz
tests_fuzz_acl_list_fuzz_SOURCES = tests/fuzz/acl_list_fuzz.c \
	tests/fuzz/replay.c imapd/acl_list.c imapd/acl_list.h
tests_fuzz_list_pattern_fuzz_SOURCES = tests/fuzz/list_pattern_fuzz.c \
	tests/fuzz/replay.c imapd/list_pattern.c imapd/list_pattern.h
tests_fuzz_maildir_size_fuzz_SOURCES = tests/fuzz/maildir_size_fuzz.c \
	tests/fuzz/replay.c
tests_fuzz_search_text_fuzz_SOURCES = tests/fuzz/search_text_fuzz.c \
	tests/fuzz/replay.c imapd/search_text.c imapd/search_text.h \
	imapd/search_plain.c imapd/search_plain.h \
	imapd/search_words.c imapd/search_words.h \
	imapd/search_key_internal.h imapd/search_key_words.c \
	imapd/search_key.c \
	imapd/search_key.h
tests_unit_imapd_search_ahead_test_SOURCES = \
	tests/unit/imapd/search_ahead_test.c \
	imapd/search_text.c imapd/search_text.h \
	imapd/search_plain.c imapd/search_plain.h \
	imapd/search_words.c imapd/search_words.h \
	imapd/search_key_internal.h imapd/search_key_words.c \
	imapd/search_key.c \
	imapd/search_key.h
tests_unit_imapd_search_ahead_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/imapd/sort_ahead_test
TESTS += tests/unit/imapd/sort_ahead_test
tests_unit_imapd_sort_ahead_test_SOURCES = \
	tests/unit/imapd/sort_ahead_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_imapd_sort_ahead_test_LDADD = imapd/libimapd.a $(LDADD) -lcmocka
tests_unit_imapd_sort_ahead_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=read_ahead_take

check_PROGRAMS += tests/unit/imapd/progress_test
TESTS += tests/unit/imapd/progress_test
tests_unit_imapd_progress_test_SOURCES = tests/unit/imapd/progress_test.c
tests_unit_imapd_progress_test_LDADD = imapd/libimapd.a $(LDADD) -lcmocka
tests_unit_imapd_progress_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=clock_ms,--wrap=mail_account_settle

check_PROGRAMS += tests/fuzz/parked_state_fuzz
TESTS += tests/fuzz/parked_state_fuzz
tests_fuzz_parked_state_fuzz_SOURCES = tests/fuzz/parked_state_fuzz.c \
	tests/fuzz/replay.c $(imapd_parked)

check_PROGRAMS += tests/unit/imapd/small_stack_test
TESTS += tests/unit/imapd/small_stack_test
tests_unit_imapd_small_stack_test_SOURCES = \
	tests/unit/imapd/small_stack_test.c \
	tests/fuzz/body_structure_fuzz.c imapd/envelope.c \
	imapd/body_structure.c
tests_unit_imapd_small_stack_test_LDADD = $(LDADD) -lcmocka -lpthread

check_PROGRAMS += tests/fuzz/imap_session_fuzz
TESTS += tests/fuzz/imap_session_fuzz
tests_fuzz_imap_session_fuzz_SOURCES = tests/fuzz/imap_session_fuzz.c \
	tests/fuzz/replay.c tests/fuzz/mail_tree.h tests/fuzz/talk.h \
	tests/fuzz/defaults.c tests/fuzz/defaults.h \
	$(imapd_libimapd_a_SOURCES)
