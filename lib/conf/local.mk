# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/conf/registry.c lib/conf/common.h \
	lib/conf/conf.h lib/conf/master_cf.h lib/conf/param.h
EXTRA_DIST += lib/conf/params.def smtpd/params.def cleanup/params.def \
	qmgr/params.def smtp/params.def local/params.def bounce/params.def \
	pickup/params.def lookup/params.def auth/params.def keyd/params.def \
	pop3d/params.def logd/params.def master/params.def \
	lib/tls/params.def lib/store/params.def
