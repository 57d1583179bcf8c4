# SPDX-License-Identifier: ISC

check_PROGRAMS += doc/protocols_print
doc_protocols_print_SOURCES = doc/protocols_print.c
TESTS += doc/protocols_current.sh
dist_check_SCRIPTS += doc/protocols_current.sh
EXTRA_DIST += doc/PROTOCOLS.md
