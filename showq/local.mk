# SPDX-License-Identifier: ISC
daemon_PROGRAMS += showq/showq
showq_showq_SOURCES = showq/showq.c
