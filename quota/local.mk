# SPDX-License-Identifier: ISC
daemon_PROGRAMS += quota/quota
quota_quota_SOURCES = quota/quota.c
