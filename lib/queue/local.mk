# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/queue/queue_file.h
