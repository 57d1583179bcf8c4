# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/task/task.h
