# SPDX-License-Identifier: ISC

sbin_PROGRAMS += tools/posttrace
tools_posttrace_SOURCES = tools/posttrace.c tools/log_line.c tools/log_line.h \
	tools/log_file.c tools/log_file.h

sbin_PROGRAMS += tools/postlog
tools_postlog_SOURCES = tools/postlog.c

check_PROGRAMS += tests/unit/tools/log_line_test
TESTS += tests/unit/tools/log_line_test
tests_unit_tools_log_line_test_SOURCES = tests/unit/tools/log_line_test.c \
	tools/log_line.c
tests_unit_tools_log_line_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/fuzz/log_line_fuzz
TESTS += tests/fuzz/log_line_fuzz
tests_fuzz_log_line_fuzz_SOURCES = tests/fuzz/log_line_fuzz.c \
	tests/fuzz/replay.c tools/log_line.c
sbin_PROGRAMS += tools/postconf
tools_postconf_SOURCES = tools/postconf.c tools/postconf.h \
	tools/postconf_load.c tools/postconf_names.c \
	tools/postconf_tables.c tools/postconf_list.c \
	tools/postconf_edit.c tools/postconf_master.c \
	tools/postconf_master_edit.c tools/postconf_bounce.c \
	tools/postconf_kinds.c tools/postconf_manual.c \
	tools/postconf_manual.h tools/settings_manual.c \
	tools/settings_manual.h tools/master_rows.c tools/master_rows.h \
	tools/cf_edit.c tools/cf_edit.h bounce/template.c bounce/compose.c
check_PROGRAMS += tests/unit/tools/cf_edit_test
TESTS += tests/unit/tools/cf_edit_test
tests_unit_tools_cf_edit_test_SOURCES = tests/unit/tools/cf_edit_test.c \
	tools/cf_edit.c
tests_unit_tools_cf_edit_test_LDADD = $(LDADD) -lcmocka
check_PROGRAMS += tests/fuzz/cf_edit_fuzz
TESTS += tests/fuzz/cf_edit_fuzz
tests_fuzz_cf_edit_fuzz_SOURCES = tests/fuzz/cf_edit_fuzz.c \
	tests/fuzz/replay.c tools/cf_edit.c

sbin_PROGRAMS += tools/postcat
tools_postcat_SOURCES = tools/postcat.c tools/queue_tool.c tools/queue_tool.h

sbin_PROGRAMS += tools/postsuper
tools_postsuper_SOURCES = tools/postsuper.c tools/queue_tool.c \
	tools/queue_tool.h

sbin_PROGRAMS += tools/postqueue
tools_postqueue_SOURCES = tools/postqueue.c tools/authorise.c \
	tools/authorise.h tools/flush_request.c tools/flush_request.h
sbin_PROGRAMS += tools/postmap tools/postalias tools/newaliases
table_tool_sources = tools/table_tool.c tools/table_tool.h \
	tools/table_edit.c tools/table_query.c \
	tools/message_keys.c tools/message_keys.h
tools_postmap_SOURCES = tools/postmap.c $(table_tool_sources)
tools_postalias_SOURCES = tools/postalias.c $(table_tool_sources)
tools_newaliases_SOURCES = tools/newaliases.c $(table_tool_sources)

check_PROGRAMS += tests/fuzz/message_keys_fuzz
TESTS += tests/fuzz/message_keys_fuzz
tests_fuzz_message_keys_fuzz_SOURCES = tests/fuzz/message_keys_fuzz.c \
	tests/fuzz/replay.c tools/message_keys.c

sbin_PROGRAMS += tools/postdrop
tools_postdrop_SOURCES = tools/postdrop.c tools/authorise.c \
	tools/authorise.h tools/login_senders.c tools/login_senders.h

sbin_PROGRAMS += tools/sendmail
tools_sendmail_SOURCES = tools/sendmail.c \
	tools/drop_pipe.c tools/drop_pipe.h \
	tools/sendmail_options.c tools/sendmail_options.h \
	tools/sendmail_smtp.c tools/sendmail_smtp.h

check_PROGRAMS += tests/fuzz/sendmail_smtp_fuzz
TESTS += tests/fuzz/sendmail_smtp_fuzz
tests_fuzz_sendmail_smtp_fuzz_SOURCES = tests/fuzz/sendmail_smtp_fuzz.c \
	tests/fuzz/replay.c tests/fuzz/defaults.c tests/fuzz/defaults.h \
	tools/sendmail_smtp.c tools/sendmail_smtp.h tools/drop_pipe.h

# the same program: its name says what it does
sbin_PROGRAMS += tools/mailq
tools_mailq_SOURCES = $(tools_sendmail_SOURCES)

# where people's shells and older programs look for them
install-exec-hook:
	$(MKDIR_P) "$(DESTDIR)$(bindir)" "$(DESTDIR)$(prefix)/lib"
	for name in mailq newaliases; do \
		test "$(bindir)" = "$(sbindir)" || \
			ln -sf "$(sbindir)/$$name" "$(DESTDIR)$(bindir)/$$name" \
			|| exit 1; \
	done
	test "$(sbindir)" = "$(prefix)/lib" || \
		ln -sf "$(sbindir)/sendmail" "$(DESTDIR)$(prefix)/lib/sendmail"
uninstall-hook:
	for link in "$(bindir)/mailq" "$(bindir)/newaliases" \
			"$(prefix)/lib/sendmail"; do \
		! test -L "$(DESTDIR)$$link" || rm -f "$(DESTDIR)$$link"; \
	done

sbin_PROGRAMS += tools/posthaste
tools_posthaste_SOURCES = tools/posthaste.c tools/posthaste_check.c \
	tools/posthaste.h tools/master_lock.c tools/master_lock.h \
	tools/flush_request.c tools/flush_request.h

sbin_PROGRAMS += tools/postmulti
tools_postmulti_SOURCES = tools/postmulti.c tools/postmulti.h \
	tools/postmulti_instances.c tools/postmulti_run.c \
	tools/postmulti_edit.c tools/postmulti_checks.c \
	tools/postmulti_files.c tools/master_lock.c tools/master_lock.h \
	tools/cf_edit.c tools/cf_edit.h

# man/main.cf.5 is printed from the settings' rows: make man
noinst_PROGRAMS += tools/settings_manual
tools_settings_manual_SOURCES = tools/settings_manual_main.c \
	tools/settings_manual.c tools/settings_manual.h
TESTS += man/settings_current.sh
dist_check_SCRIPTS += man/settings_current.sh
.PHONY: man
man: tools/settings_manual
	./tools/settings_manual > $(srcdir)/man/main.cf.5

sbin_PROGRAMS += tools/postmailbox
tools_postmailbox_SOURCES = tools/postmailbox.c tools/postmailbox.h \
	tools/postmailbox_account.c tools/postmailbox_check.c \
	tools/postmailbox_mbox.c \
	tools/postmailbox_rebuild.c $(auth_accounts)

sbin_PROGRAMS += tools/postaccount
tools_postaccount_SOURCES = tools/postaccount.c tools/app_password_file.c \
	tools/app_password_file.h $(auth_app_passwords) $(auth_accounts)
