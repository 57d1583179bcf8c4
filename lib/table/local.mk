# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/table/table.h
