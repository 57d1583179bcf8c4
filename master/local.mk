# SPDX-License-Identifier: ISC
daemon_PROGRAMS += master/master
master_master_SOURCES = master/master.c master/master.h \
	master/absorbed.c master/absorbed.h \
	master/broker.c master/endpoint.c master/endpoint.h \
	master/notify.c master/plan.c master/plan.h \
	master/reload.c master/service.c master/spawn.c master/stop.c \
	master/supervisor.c master/take_queue.c
EXTRA_DIST += master/absorbed.def
