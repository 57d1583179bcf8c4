# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/mail/address_list.c lib/mail/address_list.h \
	lib/mail/header.c lib/mail/header.h \
	lib/mail/mail_address.c lib/mail/mail_address.h \
	lib/mail/received.c lib/mail/received.h \
	lib/mail/reply.c lib/mail/reply.h \
	lib/mail/resolve.h \
	lib/mail/smtp_content.c lib/mail/smtp_content.h \
	lib/mail/smtp_path.c lib/mail/smtp_path.h \
	lib/mail/xtext.c lib/mail/xtext.h
