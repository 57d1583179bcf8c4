# SPDX-License-Identifier: ISC
daemon_PROGRAMS += resolver/resolver
resolver_resolver_SOURCES = resolver/resolver.c resolver/callers.c resolver/callers.h
