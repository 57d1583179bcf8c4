# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/service/service.h
EXTRA_DIST += lib/service/programs.def
