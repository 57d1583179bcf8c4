# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/store/uid_set.c lib/store/uid_set.h lib/store/mail_account.h \
	lib/store/mailbox.h lib/store/mailbox_view.h \
	lib/store/mail_account_internal.h lib/store/mailbox_internal.h \
	lib/store/mail_index.c lib/store/mail_index.h lib/store/mail_index_env.c \
	lib/store/mail_index_transaction.c \
	lib/store/mail_index_folders.c \
	lib/store/mail_index_internal.h lib/store/mail_index_tree.c \
	lib/store/mail_index_rows.c lib/store/mail_index_cache.c \
	lib/store/mail_index_check.c lib/store/mail_index_gate.c \
	lib/store/mail_index_guard.c \
	lib/store/mail_index_guard.h \
	lib/store/maildir_folder.c lib/store/maildir_folder.h \
	lib/store/folder_state.c lib/store/folder_state.h \
	lib/store/folder_uids.c lib/store/folder_uids.h \
	lib/store/maildir_uidlist.c lib/store/maildir_uidlist.h \
	lib/store/mailbox.c lib/store/mailbox_folder.c \
	lib/store/mailbox_state.c lib/store/mailbox_state.h \
	lib/store/mailbox_state_recover.c \
	lib/store/maildir_packed.c lib/store/maildir_packed.h \
	lib/store/maildir_trailer.c lib/store/maildir_trailer.h \
	lib/store/mailbox_load_lock.c lib/store/mailbox_settle.c \
	lib/store/mailbox_status.c lib/store/mailbox_sync.c \
	lib/store/mailbox_look.c lib/store/mailbox_look.h \
	lib/store/mailbox_listing.c lib/store/mailbox_adopt.c \
	lib/store/mailbox.c lib/store/mailbox_sync.c \
	lib/store/mailbox_kind.c lib/store/mailbox_kind.h \
	lib/store/mbox_append.c lib/store/mbox_changes.c \
	lib/store/mbox_flags.c lib/store/mbox_folder.c \
	lib/store/mbox_fields.def \
	lib/store/mbox_folder.h lib/store/mbox_notes.c \
	lib/store/mbox_proof.c \
	lib/store/mbox_notes.h lib/store/mbox_take_up.c \
	lib/store/mbox_from.c lib/store/mbox_text.c lib/store/mbox_text.h \
	lib/store/mail_folder_mbox.c \
	lib/store/mailbox_scan.c lib/store/mailbox_scan.h \
	lib/store/flag_rows.c lib/store/flag_rows.h \
	lib/store/read_ahead.c lib/store/read_ahead.h \
	lib/store/mailbox_message.c lib/store/mailbox_flags.c \
	lib/store/mailbox_keywords.c lib/store/mailbox_watch.c \
	lib/store/mailbox_view.c lib/store/mailbox_names.c \
	lib/store/folder_name.c lib/store/folder_name.h \
	lib/store/mailbox_points.c lib/store/mailbox_bulk.c \
	lib/store/mail_account.c lib/store/mail_account_metadata.c \
	lib/store/mail_append.c lib/store/mail_append.h \
	lib/store/mail_append_name.c lib/store/mailbox_copy.c \
	lib/store/mailbox_copy_across.c \
	lib/store/mailbox_copy_journal.c lib/store/mailbox_copy_journal.h \
	lib/store/mail_account_location.c lib/store/mail_account_location.h \
	lib/store/mail_account_special.c lib/store/mail_account_special.h \
	lib/store/mail_folder_change.c lib/store/mail_folder_file.c \
	lib/store/mail_folder_list.c lib/store/mail_folder_rename.c \
	lib/store/mail_folder_subscriptions.c lib/store/mail_folder_tree.c \
	lib/store/mail_folder_tree.h lib/store/mail_folder_validity.c \
	lib/store/mail_metadata.c lib/store/mail_metadata.h \
	lib/store/mail_quota.c lib/store/mail_quota.h \
	lib/store/mail_spool.c lib/store/mail_spool.h \
	lib/store/beneath.c lib/store/beneath.h \
	lib/store/begun_flush.c lib/store/begun_flush.h \
	lib/store/quota_rule.c lib/store/quota_rule.h \
	lib/store/special_uses.def \
	lib/store/special_folders.c lib/store/special_folders.h \
	lib/store/namespace_settings.c lib/store/namespace_settings.h \
	lib/store/deliver_copy.c lib/store/deliver_copy.h \
	lib/store/folder_claims.c lib/store/folder_claims.h \
	lib/store/maildir_deliver.c lib/store/maildir_deliver.h \
	lib/store/maildir_list.c lib/store/maildir_list.h \
	lib/store/maildir_place.c lib/store/maildir_place.h \
	lib/store/maildir_name.c lib/store/store.c lib/store/store.h \
	lib/store/store_kind.h lib/store/maildir_store.c \
	lib/store/mbox_scan.c lib/store/mbox_scan.h \
	lib/store/mbox_unquote.c lib/store/mbox_lock.c lib/store/mbox_lock.h \
	lib/store/mbox_end.c lib/store/mbox_end.h \
	lib/store/mbox_rewrite.c lib/store/mbox_rewrite.h \
	lib/store/mbox_store.c lib/store/mbox_store.h \
	lib/store/mbox_deliver.c lib/store/mbox_deliver.h \
	lib/store/mail_acl.c lib/store/mail_acl.h \
	lib/store/uidl_format.c lib/store/uidl_format.h \
	lib/store/maildir_size.c lib/store/maildir_size.h

check_PROGRAMS += tests/unit/lib/store/maildir_deliver_test \
	tests/unit/lib/store/mbox_deliver_test
TESTS += tests/unit/lib/store/maildir_deliver_test \
	tests/unit/lib/store/mbox_deliver_test
tests_unit_lib_store_maildir_deliver_test_SOURCES = \
	tests/unit/lib/store/maildir_deliver_test.c \
	tests/unit/lib/store/folder.h
tests_unit_lib_store_maildir_deliver_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_maildir_deliver_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=file_system_frees_late,--wrap=fsync,--wrap=ftruncate
tests_unit_lib_store_mbox_deliver_test_SOURCES = \
	tests/unit/lib/store/mbox_deliver_test.c
tests_unit_lib_store_mbox_deliver_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mbox_deliver_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=ftruncate,--wrap=futimens,--wrap=fdatasync \
	-Wl,--wrap=file_system_commit

check_PROGRAMS += tests/unit/lib/store/mbox_end_test
TESTS += tests/unit/lib/store/mbox_end_test
tests_unit_lib_store_mbox_end_test_SOURCES = \
	tests/unit/lib/store/mbox_end_test.c tests/unit/lib/store/folder.h
tests_unit_lib_store_mbox_end_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mbox_end_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=ftruncate,--wrap=fsync,--wrap=fdatasync

check_PROGRAMS += tests/unit/lib/store/mbox_torn_test
TESTS += tests/unit/lib/store/mbox_torn_test
tests_unit_lib_store_mbox_torn_test_SOURCES = \
	tests/unit/lib/store/mbox_torn_test.c tests/unit/lib/store/folder.h
tests_unit_lib_store_mbox_torn_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/store/store_test tests/fuzz/maildir_name_fuzz
TESTS += tests/unit/lib/store/store_test tests/fuzz/maildir_name_fuzz
tests_unit_lib_store_store_test_SOURCES = tests/unit/lib/store/store_test.c \
	tests/unit/lib/store/folder.h
tests_unit_lib_store_store_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_maildir_name_fuzz_SOURCES = tests/fuzz/maildir_name_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/store/uidl_format_test
TESTS += tests/unit/lib/store/uidl_format_test
tests_unit_lib_store_uidl_format_test_SOURCES = \
	tests/unit/lib/store/uidl_format_test.c
tests_unit_lib_store_uidl_format_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/mbox_scan_fuzz
TESTS += tests/fuzz/mbox_scan_fuzz
tests_fuzz_mbox_scan_fuzz_SOURCES = tests/fuzz/mbox_scan_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/store/mbox_store_test
TESTS += tests/unit/lib/store/mbox_store_test
tests_unit_lib_store_mbox_store_test_SOURCES = \
	tests/unit/lib/store/mbox_store_test.c tests/unit/lib/store/folder.h
tests_unit_lib_store_mbox_store_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mbox_store_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pwrite,--wrap=ftruncate,--wrap=fsync

check_PROGRAMS += tests/fuzz/mbox_quote_fuzz
TESTS += tests/fuzz/mbox_quote_fuzz
tests_fuzz_mbox_quote_fuzz_SOURCES = tests/fuzz/mbox_quote_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/store/folder_name_test
TESTS += tests/unit/lib/store/folder_name_test
tests_unit_lib_store_folder_name_test_SOURCES = \
	tests/unit/lib/store/folder_name_test.c
tests_unit_lib_store_folder_name_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/store/uid_set_test
TESTS += tests/unit/lib/store/uid_set_test
tests_unit_lib_store_uid_set_test_SOURCES = \
	tests/unit/lib/store/uid_set_test.c
tests_unit_lib_store_uid_set_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/store/mail_folder_tree_test
TESTS += tests/unit/lib/store/mail_folder_tree_test
tests_unit_lib_store_mail_folder_tree_test_SOURCES = \
	tests/unit/lib/store/mail_folder_tree_test.c \
	tests/unit/lib/store/folder.h
tests_unit_lib_store_mail_folder_tree_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/store/maildir_size_test
TESTS += tests/unit/lib/store/maildir_size_test
tests_unit_lib_store_maildir_size_test_SOURCES = \
	tests/unit/lib/store/maildir_size_test.c
tests_unit_lib_store_maildir_size_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/unit/lib/store/mail_quota_test
TESTS += tests/unit/lib/store/mail_quota_test
tests_unit_lib_store_mail_quota_test_SOURCES = \
	tests/unit/lib/store/mail_quota_test.c
tests_unit_lib_store_mail_quota_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/store/mailbox_test
TESTS += tests/unit/lib/store/mailbox_test
tests_unit_lib_store_mailbox_test_SOURCES = \
	tests/unit/lib/store/mailbox_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mailbox_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/unit/lib/store/mailbox_doubt_test
TESTS += tests/unit/lib/store/mailbox_doubt_test
tests_unit_lib_store_mailbox_doubt_test_SOURCES = \
	tests/unit/lib/store/mailbox_doubt_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mailbox_doubt_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mailbox_doubt_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fsync,--wrap=mail_index_commit
check_PROGRAMS += tests/unit/lib/store/mail_crash_test
TESTS += tests/unit/lib/store/mail_crash_test
tests_unit_lib_store_mail_crash_test_SOURCES = \
	tests/unit/lib/store/mail_crash_test.c tests/unit/lib/store/folder.h
tests_unit_lib_store_mail_crash_test_LDADD = $(LDADD) -lcmocka

# What the store makes of a mailbox: tests/scenario/store.
check_PROGRAMS += tests/probe/mailbox_probe
tests_probe_mailbox_probe_SOURCES = tests/probe/mailbox_probe.c
check_PROGRAMS += tests/unit/lib/store/mail_index_damage_test
TESTS += tests/unit/lib/store/mail_index_damage_test
tests_unit_lib_store_mail_index_damage_test_SOURCES = \
	tests/unit/lib/store/mail_index_damage_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mail_index_damage_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mail_index_damage_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=mdb_dbi_open,--wrap=mdb_txn_id,--wrap=pread,--wrap=mmap

check_PROGRAMS += tests/unit/lib/store/mail_append_test
TESTS += tests/unit/lib/store/mail_append_test
tests_unit_lib_store_mail_append_test_SOURCES = \
	tests/unit/lib/store/mail_append_test.c tests/unit/lib/store/folder.h
tests_unit_lib_store_mail_append_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mail_append_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=renameat,--wrap=unlinkat,--wrap=fsync \
	-Wl,--wrap=file_system_commit,--wrap=file_system_is_loose \
	-Wl,--wrap=file_system_settle_folder \
	-Wl,--wrap=file_system_takes_changes
check_PROGRAMS += tests/unit/lib/store/power_cut_test
TESTS += tests/unit/lib/store/power_cut_test
tests_unit_lib_store_power_cut_test_SOURCES = \
	tests/unit/lib/store/power_cut_test.c tests/unit/lib/store/folder.h
tests_unit_lib_store_power_cut_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_power_cut_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=open
check_PROGRAMS += tests/unit/lib/store/mailbox_crash_test
TESTS += tests/unit/lib/store/mailbox_crash_test
tests_unit_lib_store_mailbox_crash_test_SOURCES = \
	tests/unit/lib/store/mailbox_crash_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mailbox_crash_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/store/mailbox_many_test
TESTS += tests/unit/lib/store/mailbox_many_test
tests_unit_lib_store_mailbox_many_test_SOURCES = \
	tests/unit/lib/store/mailbox_many_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mailbox_many_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mailbox_many_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fsync,--wrap=renameat,--wrap=mail_index_commit

check_PROGRAMS += tests/unit/lib/store/mailbox_state_test
TESTS += tests/unit/lib/store/mailbox_state_test
tests_unit_lib_store_mailbox_state_test_SOURCES = \
	tests/unit/lib/store/mailbox_state_test.c
tests_unit_lib_store_mailbox_state_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mailbox_state_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=folder_state_read
check_PROGRAMS += tests/unit/lib/store/mailbox_strangers_test
TESTS += tests/unit/lib/store/mailbox_strangers_test
tests_unit_lib_store_mailbox_strangers_test_SOURCES = \
	tests/unit/lib/store/mailbox_strangers_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mailbox_strangers_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mailbox_strangers_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fsync,--wrap=maildir_folder_scan,--wrap=mail_tree_lock

check_PROGRAMS += tests/fuzz/folder_state_fuzz tests/fuzz/mail_index_fuzz \
	tests/fuzz/account_files_fuzz
TESTS += tests/fuzz/folder_state_fuzz tests/fuzz/mail_index_fuzz \
	tests/fuzz/account_files_fuzz
tests_fuzz_account_files_fuzz_SOURCES = tests/fuzz/account_files_fuzz.c \
	tests/fuzz/mail_tree.h tests/fuzz/replay.c
tests_fuzz_folder_state_fuzz_SOURCES = tests/fuzz/folder_state_fuzz.c \
	tests/fuzz/replay.c
tests_fuzz_mail_index_fuzz_SOURCES = tests/fuzz/mail_index_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/store/read_ahead_test
TESTS += tests/unit/lib/store/read_ahead_test
tests_unit_lib_store_read_ahead_test_SOURCES = \
	tests/unit/lib/store/read_ahead_test.c \
	tests/unit/lib/store/folder.h
tests_unit_lib_store_read_ahead_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_read_ahead_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pthread_create -Wl,--wrap=pthread_cond_wait

check_PROGRAMS += tests/unit/lib/store/mailbox_ahead_test
TESTS += tests/unit/lib/store/mailbox_ahead_test
tests_unit_lib_store_mailbox_ahead_test_SOURCES = \
	tests/unit/lib/store/mailbox_ahead_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mailbox_ahead_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/lib/store/mailbox_bulk_test
TESTS += tests/unit/lib/store/mailbox_bulk_test
tests_unit_lib_store_mailbox_bulk_test_SOURCES = \
	tests/unit/lib/store/mailbox_bulk_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mailbox_bulk_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mailbox_bulk_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=renameat,--wrap=fsync,--wrap=pthread_create

check_PROGRAMS += tests/unit/lib/store/mailbox_race_test
TESTS += tests/unit/lib/store/mailbox_race_test
tests_unit_lib_store_mailbox_race_test_SOURCES = \
	tests/unit/lib/store/mailbox_race_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mailbox_race_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/fuzz/folder_name_fuzz
TESTS += tests/fuzz/folder_name_fuzz
tests_fuzz_folder_name_fuzz_SOURCES = tests/fuzz/folder_name_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/unit/lib/store/mbox_folder_test
TESTS += tests/unit/lib/store/mbox_folder_test
tests_unit_lib_store_mbox_folder_test_SOURCES = \
	tests/unit/lib/store/mbox_folder_test.c \
	tests/unit/lib/store/account.h tests/unit/lib/store/folder.h
tests_unit_lib_store_mbox_folder_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_store_mbox_folder_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pwrite,--wrap=ftruncate,--wrap=fsync,--wrap=fstat \
	-Wl,--wrap=file_system_takes_changes

check_PROGRAMS += tests/fuzz/maildir_packed_fuzz tests/fuzz/mbox_journal_fuzz
TESTS += tests/fuzz/maildir_packed_fuzz tests/fuzz/mbox_journal_fuzz
tests_fuzz_maildir_packed_fuzz_SOURCES = tests/fuzz/maildir_packed_fuzz.c \
	tests/fuzz/replay.c tests/fuzz/mail_tree.h
tests_fuzz_mbox_journal_fuzz_SOURCES = tests/fuzz/mbox_journal_fuzz.c \
	tests/fuzz/replay.c
check_PROGRAMS += tests/fuzz/mbox_text_fuzz
TESTS += tests/fuzz/mbox_text_fuzz
tests_fuzz_mbox_text_fuzz_SOURCES = tests/fuzz/mbox_text_fuzz.c \
	tests/fuzz/replay.c

check_PROGRAMS += tests/fuzz/namespace_settings_fuzz
TESTS += tests/fuzz/namespace_settings_fuzz
tests_fuzz_namespace_settings_fuzz_SOURCES = tests/fuzz/namespace_settings_fuzz.c tests/fuzz/replay.c
