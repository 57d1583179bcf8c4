# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/net/address.h lib/net/connect.h lib/net/stream.h
