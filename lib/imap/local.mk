# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/imap/imap_read.h lib/imap/imap_set.h \
	lib/imap/imap_write.h
