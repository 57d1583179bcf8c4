# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/service/service.h \
	lib/service/programs.c lib/service/programs.h \
	lib/service/status_page.h \
	lib/service/remote_key.c lib/service/remote_key.h
EXTRA_DIST += lib/service/programs.def
