# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/sandbox/sandbox.h
