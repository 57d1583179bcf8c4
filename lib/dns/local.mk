# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/dns/dns.h
