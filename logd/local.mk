# SPDX-License-Identifier: ISC
daemon_PROGRAMS += logd/logd
logd_logd_SOURCES = logd/logd.c logd/line.c logd/line.h \
	logd/target.c logd/target.h
