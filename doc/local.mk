# SPDX-License-Identifier: ISC

check_PROGRAMS += doc/protocols_print
doc_protocols_print_SOURCES = doc/protocols_print.c
TESTS += doc/protocols_current.sh
dist_check_SCRIPTS += doc/protocols_current.sh
EXTRA_DIST += doc/ARCHITECTURE.md doc/BUDGET.md doc/DURABILITY.md \
	doc/HACKING.md doc/MIGRATING.md doc/PRIVILEGES.md \
	doc/PROTOCOLS.md doc/STORE.md changes/imap.md changes/pop3.md \
	changes/quota.md .clang-format
