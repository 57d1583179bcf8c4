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
FUZZ_VERBOSITY = 0

# Each file is compiled once for all fuzzers; make fuzz-STEM runs one.
fuzz_stems = $(patsubst tests/fuzz/%_fuzz,%,$(filter tests/fuzz/%_fuzz,$(check_PROGRAMS:$(EXEEXT)=)))
fuzz_object_of = $(patsubst %.c,fuzz/obj/%.o,$(filter-out %/replay.c,$(filter %.c,$(1))))
fuzz_objects = $(sort $(call fuzz_object_of,$(libposthaste_a_SOURCES)))
fuzz_target_objects = $(call fuzz_object_of,$(tests_fuzz_$(1)_fuzz_SOURCES))
fuzz_all_objects = $(sort $(fuzz_objects) $(foreach stem,$(fuzz_stems),$(call fuzz_target_objects,$(stem))))
FUZZ_COMPILE = $(FUZZ_CLANG) -g -O1 -std=gnu11 $(DEFS) $(AM_CPPFLAGS) \
	$(SSL_CFLAGS) $(PCRE2_CFLAGS) $(CARES_CFLAGS) $(SASL_CFLAGS) \
	$(SECCOMP_CFLAGS) $(IDN2_CFLAGS) $(LMDB_CFLAGS) $(LDAP_CFLAGS) \
	$(MYSQL_CFLAGS) $(PGSQL_CFLAGS) $(REDIS_CFLAGS) $(SQLITE_CFLAGS)

.SECONDARY: $(fuzz_all_objects)
.PHONY: fuzz
fuzz: $(addprefix fuzz-,$(fuzz_stems))

fuzz/obj/%.o: $(srcdir)/%.c
	@mkdir -p $(@D)
	@$(FUZZ_COMPILE) -fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=all -MMD -MP -c -o $@ $<

# What a run finds goes to fuzz/found-STEM-*; what it learned stays in
# fuzz/STEM for the next. The words are those of the .def tables.
check_PROGRAMS += tests/fuzz/words
tests_fuzz_words_SOURCES = tests/fuzz/words.c
check_PROGRAMS += tests/unit/tests/fuzz/words_test
TESTS += tests/unit/tests/fuzz/words_test
tests_unit_tests_fuzz_words_test_SOURCES = tests/unit/tests/fuzz/words_test.c
tests_unit_tests_fuzz_words_test_LDADD = $(LDADD) -lcmocka

# an archive, so that a target may play a part of the library itself
fuzz/libfuzzed.a: $(fuzz_objects)
	@rm -f $@
	@$(AR) cr $@ $(fuzz_objects)

.SECONDEXPANSION:
fuzz-%: fuzz/libfuzzed.a tests/fuzz/words $$(call fuzz_target_objects,$$*)
	@mkdir -p fuzz/$*
	@tests/fuzz/words $* > fuzz/$*.dict
	@$(FUZZ_COMPILE) -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o fuzz/$*_fuzz \
		$(call fuzz_target_objects,$*) \
		$(tests_fuzz_$*_fuzz_LDADD:libposthaste.a=fuzz/libfuzzed.a)
	fuzz/$*_fuzz -max_total_time=$(FUZZ_SECONDS) -dict=fuzz/$*.dict \
		-artifact_prefix=fuzz/found-$*- -timeout=25 \
		-rss_limit_mb=2048 -verbosity=$(FUZZ_VERBOSITY) \
		-print_final_stats=1 fuzz/$* $(srcdir)/tests/fuzz/corpus/$*

-include $(wildcard $(fuzz_all_objects:.o=.d))

# And the suite at work, where all units are run and it is installed.
CHECK_BENCH = $(if $(filter command,$(origin TESTS)),no,yes)
check-local:
	@[ $(CHECK_BENCH) = no ] || $(srcdir)/tests/check-bench '$(prefix)'
EXTRA_DIST += tests/check-bench

# What scenarios run; they can do without unit tests and fuzzers.
.PHONY: check-helpers
check-helpers: $(filter-out tests/unit/% tests/fuzz/%,$(check_PROGRAMS))

EXTRA_DIST += tests/attacks tests/attacks.def tests/fuzz/corpus \
	tests/scenario tests/corpus tests/probe/pam_module.c

.PHONY: lint
lint:
	$(srcdir)/tests/lint
EXTRA_DIST += tests/lint

# Ends programs at each system call that changes something:
# tests/scenario/crash/.
check_PROGRAMS += tests/crash/crasher
tests_crash_crasher_SOURCES = tests/crash/crasher.c tests/crash/calls.c \
	tests/crash/calls.h tests/crash/calls.def tests/crash/record.c \
	tests/crash/record.h

# What takes long: tests/deep says what each does. SCENARIOS="smtpd qmgr" is a
# choice of folders, or of files below tests/scenario; nothing: all.
.PHONY: check-san check-valgrind coverage check-deep
check-san coverage check-deep:
	$(srcdir)/tests/deep $@ $(SCENARIOS)

# Memcheck for the unit tests. Not those that look at their own crash, trace
# their child, confine themselves or use mounts: valgrind runs none of that as
# the machine does. Nor the one that is many processes in one: what lives as
# long as each is lost there. Nor those of openat2(2) and pidfd_open(2), which
# valgrind does not know (the store does without openat2(2), and is tried so).
# Nor the one of what is young, which slow things are not, and the one that puts
# noise into the index while LMDB writes, which then reads behind pages that it
# has copied to the heap: the process may end by that. These check-san has, too.
#
# Leaks are not asked for where children end in the midst of their work, as if
# killed; what their parents lose check-san tells.
VALGRIND = valgrind -q --error-exitcode=99 --child-silent-after-fork=yes \
	--suppressions=$(abs_top_srcdir)/tests/valgrind.supp
VALGRIND_LEAKS = --leak-check=full --errors-for-leak-kinds=definite
valgrind_not = tests/unit/lib/log/log_test tests/unit/lib/sandbox/% \
	tests/unit/lib/store/power_cut_test tests/unit/lib/store/%crash_test \
	tests/unit/lib/login/session_enter_test \
	tests/unit/lib/service/service_test \
	tests/unit/lib/store/maildir_deliver_test \
	tests/unit/lib/store/mail_index_damage_test \
	tests/unit/lib/table/watch_test tests/unit/local/command_test
valgrind_ending = tests/unit/lib/store/mailbox_bulk_test \
	tests/unit/lib/store/mailbox_doubt_test \
	tests/unit/lib/store/mbox_folder_test \
	tests/unit/lib/store/mbox_store_test
valgrind_tests = $(filter-out $(valgrind_not) $(valgrind_ending),$(filter tests/unit/%,$(TESTS)))
check-valgrind:
	@status=0; \
	$(MAKE) check TESTS='$(valgrind_tests)' \
		LOG_COMPILER='$(VALGRIND) $(VALGRIND_LEAKS)' || status=1; \
	$(MAKE) check TESTS='$(valgrind_ending)' \
		LOG_COMPILER='$(VALGRIND)' || status=1; \
	exit $$status
EXTRA_DIST += tests/deep tests/coverage.py tests/cppcheck.cfg \
	tests/lint.words tests/lsan.supp tests/valgrind.supp
