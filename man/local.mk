# SPDX-License-Identifier: ISC
dist_man1_MANS += man/postcat.1 man/postlog.1 man/postqueue.1 \
	man/postsuper.1 man/posttrace.1
dist_man1_MANS += man/newaliases.1 man/postalias.1 man/postmap.1
dist_man5_MANS += man/canonical.5 man/cidr_table.5 man/pcre_table.5 \
	man/regexp_table.5 man/transport.5 man/virtual.5
dist_man8_MANS += man/lookup.8
dist_man8_MANS += man/smtpd.8
dist_man1_MANS += man/postdrop.1 man/sendmail.1
dist_man8_MANS += man/cleanup.8 man/pickup.8
dist_man8_MANS += man/smtpd.8
dist_man1_MANS += man/posthaste.1
dist_man5_MANS += man/master.cf.5
dist_man8_MANS += man/logd.8 man/master.8
dist_man5_MANS += man/accounts.5
dist_man8_MANS += man/auth.8 man/keyd.8 man/pop3d.8
