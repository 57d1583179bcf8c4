# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/tls/tls.h lib/tls/tls_internal.h
