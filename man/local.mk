# SPDX-License-Identifier: ISC
# One page a line, in order: lines of two people then merge by themselves.
dist_man1_MANS += man/newaliases.1
dist_man1_MANS += man/postalias.1
dist_man1_MANS += man/postcat.1
dist_man1_MANS += man/postconf.1
dist_man1_MANS += man/postdrop.1
dist_man1_MANS += man/posthaste.1
dist_man1_MANS += man/postlog.1
dist_man1_MANS += man/postmap.1
dist_man1_MANS += man/postqueue.1
dist_man1_MANS += man/postsuper.1
dist_man1_MANS += man/posttrace.1
dist_man1_MANS += man/sendmail.1
dist_man5_MANS += man/accounts.5
dist_man5_MANS += man/aliases.5
dist_man5_MANS += man/canonical.5
dist_man5_MANS += man/cidr_table.5
dist_man5_MANS += man/main.cf.5
dist_man5_MANS += man/master.cf.5
dist_man5_MANS += man/pcre_table.5
dist_man5_MANS += man/postconf.5
dist_man5_MANS += man/regexp_table.5
dist_man5_MANS += man/transport.5
dist_man5_MANS += man/virtual.5
dist_man8_MANS += man/auth.8
dist_man8_MANS += man/bounce.8
dist_man8_MANS += man/cleanup.8
dist_man8_MANS += man/keyd.8
dist_man8_MANS += man/local.8
dist_man8_MANS += man/logd.8
dist_man8_MANS += man/lookup.8
dist_man8_MANS += man/master.8
dist_man8_MANS += man/pickup.8
dist_man8_MANS += man/pipe.8
dist_man8_MANS += man/pop3d.8
dist_man8_MANS += man/qmgr.8
dist_man8_MANS += man/showq.8
dist_man8_MANS += man/smtpd.8
dist_man8_MANS += man/virtual.8

# man/main.cf.5 is printed from the settings' rows, and committed
TESTS += man/settings_current.sh
dist_check_SCRIPTS += man/settings_current.sh
.PHONY: man
man: tools/settings_manual
	./tools/settings_manual > $(srcdir)/man/main.cf.5
