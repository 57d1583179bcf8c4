# SPDX-License-Identifier: ISC
dist_man1_MANS += man/postcat.1 man/postlog.1 man/postqueue.1 \
	man/postsuper.1 man/posttrace.1
dist_man8_MANS += man/bounce.8 man/qmgr.8 man/showq.8
