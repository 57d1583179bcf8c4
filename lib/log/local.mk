# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/log/log.c lib/log/log.h
