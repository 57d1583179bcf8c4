# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/mail/resolve.h
