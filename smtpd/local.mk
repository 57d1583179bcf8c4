# SPDX-License-Identifier: ISC
daemon_PROGRAMS += smtpd/smtpd
smtpd_smtpd_SOURCES = \
	smtpd/ask.c smtpd/ask.h \
	smtpd/checks.h \
	smtpd/checks_access.c \
	smtpd/checks_lookup.c \
	smtpd/checks_names.c \
	smtpd/checks_simple.c \
	smtpd/client_list.c smtpd/client_list.h \
	smtpd/config.c smtpd/config.h \
	smtpd/connect.c smtpd/connect.h \
	smtpd/data.c \
	smtpd/esmtp.c smtpd/esmtp.h \
	smtpd/gate.c smtpd/gate.h \
	smtpd/hello.c \
	smtpd/limits.c smtpd/limits.h \
	smtpd/login.c smtpd/login.h \
	smtpd/mail.c \
	smtpd/other.c \
	smtpd/rcpt.c \
	smtpd/resolve_cache.c smtpd/resolve_cache.h \
	smtpd/restriction.c smtpd/restriction.h \
	smtpd/restrictions.def \
	smtpd/say.c \
	smtpd/session.c smtpd/session.h \
	smtpd/smtpd.c \
	smtpd/starttls.c \
	smtpd/submission.c smtpd/submission.h \
	smtpd/verb.c smtpd/verb.h \
	smtpd/verbs.def
