# SPDX-License-Identifier: ISC
daemon_PROGRAMS += pickup/pickup
pickup_pickup_SOURCES = pickup/pickup.c pickup/drop.c pickup/drop.h \
	pickup/drop_return.c pickup/drop_return.h
