# SPDX-License-Identifier: ISC

# A unit test is one program, tests/unit/<path>/<stem>_test.c:
#	check_PROGRAMS += tests/unit/lib/base/buf_test
#	TESTS += tests/unit/lib/base/buf_test
#	tests_unit_lib_base_buf_test_SOURCES = tests/unit/lib/base/buf_test.c
#	tests_unit_lib_base_buf_test_LDADD = $(LDADD) -lcmocka
# Each folder lists its own in its own local.mk.
#
# A fuzz target is tests/fuzz/<stem>_fuzz.c with seeds in
# tests/fuzz/corpus/<stem>/. make check replays the seeds through
# tests/fuzz/replay.c; make fuzz runs each for FUZZ_SECONDS under libFuzzer.
# Each is listed in the local.mk of its code's folder:
#	check_PROGRAMS += tests/fuzz/ipc_fuzz
#	TESTS += tests/fuzz/ipc_fuzz
#	tests_fuzz_ipc_fuzz_SOURCES = tests/fuzz/ipc_fuzz.c tests/fuzz/replay.c

FUZZ_SECONDS = 10
FUZZ_CLANG = clang

.PHONY: fuzz check-scenario
fuzz:
	@mkdir -p fuzz && for source in $(srcdir)/tests/fuzz/*_fuzz.c; do \
		stem=$$(basename $$source _fuzz.c); \
		mkdir -p fuzz/$$stem; \
		$(FUZZ_CLANG) -g -O1 -std=gnu11 $(AM_CPPFLAGS) $(SSL_CFLAGS) \
			-fsanitize=fuzzer,address,undefined -o fuzz/$${stem}_fuzz \
			$$source $(addprefix $(srcdir)/,$(filter %.c,$(libposthaste_a_SOURCES))) \
			$(LDADD:libposthaste.a=) && \
		fuzz/$${stem}_fuzz -max_total_time=$(FUZZ_SECONDS) \
			fuzz/$$stem $(srcdir)/tests/fuzz/corpus/$$stem || exit 1; \
	done

EXTRA_DIST += tests/fuzz/corpus tests/scenario

.PHONY: lint
lint:
	$(srcdir)/tests/lint
EXTRA_DIST += tests/lint
