# SPDX-License-Identifier: ISC
daemon_PROGRAMS += smtp/smtp
smtp_parts = \
	smtp/cache.c smtp/cache.h \
	smtp/content.c smtp/content.h \
	smtp/delivery.c smtp/delivery.h \
	smtp/destination.c smtp/destination.h \
	smtp/greet.c smtp/greet.h \
	smtp/hosts.c smtp/hosts.h \
	smtp/peer.c smtp/peer.h \
	smtp/policy.c smtp/policy.h \
	smtp/settings.c smtp/settings.h \
	smtp/transaction.c smtp/transaction.h
smtp_smtp_SOURCES = smtp/smtp.c $(smtp_parts)
