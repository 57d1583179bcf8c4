# SPDX-License-Identifier: ISC
EXTRA_DIST += bench/frame/root.py \
	bench/peers/exim.py bench/peers/opensmtpd.py \
	bench/frame/__init__.py bench/frame/book.py bench/frame/group.py bench/frame/measure.py \
	bench/frame/peer.py bench/frame/table.py bench/run \
	bench/groups/__init__.py bench/groups/accept.py \
	bench/groups/relay.py bench/groups/recipients.py \
	bench/groups/sendmail.py bench/groups/backlog.py \
	bench/groups/idle.py bench/frame/smtp.py \
	bench/README.md bench/RESULTS.md \
	bench/peers/__init__.py bench/peers/posthaste.py \
	bench/peers/postfix.py

bench_programs = bench/load/smtp_load bench/load/smtp_sink \
	bench/load/disk_limit bench/load/count bench/load/inject
check_PROGRAMS += $(bench_programs)
bench_load_common = bench/load/dial.c bench/load/dial.h \
	bench/load/latency.c bench/load/latency.h
bench_load_smtp_load_SOURCES = bench/load/smtp_load.c $(bench_load_common)
bench_load_smtp_sink_SOURCES = bench/load/smtp_sink.c $(bench_load_common)
bench_load_disk_limit_SOURCES = bench/load/disk_limit.c $(bench_load_common)
bench_load_inject_SOURCES = bench/load/inject.c $(bench_load_common)
bench_load_count_SOURCES = bench/load/count.c $(bench_load_common)

# What bench/run needs besides an installed suite. Behind "all" and in a make of
# its own, as that is: "make -j all bench" would have two at the same objects.
.PHONY: bench bench-programs
bench: all
	$(MAKE) $(AM_MAKEFLAGS) bench-programs
bench-programs: $(bench_programs)
