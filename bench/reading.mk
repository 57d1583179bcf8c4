# SPDX-License-Identifier: ISC
# The bench's private roots, the servers of mailboxes and what reads from them.
EXTRA_DIST += bench/frame/mail.py bench/peers/dovecot.py \
	bench/peers/cyrus.py bench/peers/courier.py bench/groups/imap.py \
	bench/groups/pop3.py bench/groups/tls.py bench/groups/lookup.py \
	bench/groups/footprint.py

bench_reading = bench/load/imap_load bench/load/pop3_load \
	bench/load/tls_load bench/load/rcpt_load bench/load/null_server \
	bench/load/log_sink
check_PROGRAMS += $(bench_reading)
bench_load_crew = bench/load/crew.c bench/load/crew.h bench/load/talk.c \
	bench/load/talk.h $(bench_load_common)
bench_load_imap_load_SOURCES = bench/load/imap_load.c $(bench_load_crew)
bench_load_pop3_load_SOURCES = bench/load/pop3_load.c $(bench_load_crew)
bench_load_tls_load_SOURCES = bench/load/tls_load.c $(bench_load_crew)
bench_load_rcpt_load_SOURCES = bench/load/rcpt_load.c $(bench_load_crew)
bench_load_null_server_SOURCES = bench/load/null_server.c \
	$(bench_load_common)
bench_load_log_sink_SOURCES = bench/load/log_sink.c

bench-programs: $(bench_reading)
