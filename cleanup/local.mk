# SPDX-License-Identifier: ISC
daemon_PROGRAMS += cleanup/cleanup
cleanup_parts = \
	cleanup/ask_lookup.c cleanup/ask_lookup.h \
	cleanup/author_check.c cleanup/author_check.h \
	cleanup/content_rules.c cleanup/content_rules.h \
	cleanup/free_space.c cleanup/free_space.h \
	cleanup/header_pass.c cleanup/header_pass.h \
	cleanup/header_rewrite.c cleanup/header_rewrite.h \
	cleanup/line_ends.c cleanup/line_ends.h \
	cleanup/qmgr_notice.c cleanup/qmgr_notice.h \
	cleanup/recipient_set.c cleanup/recipient_set.h \
	cleanup/scratch.c cleanup/scratch.h \
	cleanup/settings.c cleanup/settings.h \
	cleanup/submission.c cleanup/submission.h \
	cleanup/submitter.c cleanup/submitter.h
cleanup_cleanup_SOURCES = cleanup/cleanup.c $(cleanup_parts)

check_PROGRAMS += tests/unit/cleanup/submission_test
TESTS += tests/unit/cleanup/submission_test
# ask_lookup.c is played by the test
tests_unit_cleanup_submission_test_SOURCES = \
	tests/unit/cleanup/submission_test.c \
	cleanup/author_check.c cleanup/content_rules.c cleanup/free_space.c \
	cleanup/header_pass.c cleanup/header_rewrite.c cleanup/line_ends.c \
	cleanup/qmgr_notice.c cleanup/recipient_set.c cleanup/settings.c \
	cleanup/submission.c
tests_unit_cleanup_submission_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/cleanup/scratch_test
TESTS += tests/unit/cleanup/scratch_test
tests_unit_cleanup_scratch_test_SOURCES = \
	tests/unit/cleanup/scratch_test.c cleanup/scratch.c
tests_unit_cleanup_scratch_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += tests/unit/cleanup/submitter_test
TESTS += tests/unit/cleanup/submitter_test
tests_unit_cleanup_submitter_test_SOURCES = \
	tests/unit/cleanup/submitter_test.c cleanup/submitter.c
tests_unit_cleanup_submitter_test_LDADD = $(LDADD) -lcmocka

# ask_lookup.c is played by the target
check_PROGRAMS += tests/fuzz/header_pass_fuzz
TESTS += tests/fuzz/header_pass_fuzz
tests_fuzz_header_pass_fuzz_SOURCES = tests/fuzz/header_pass_fuzz.c tests/fuzz/replay.c \
	cleanup/author_check.c \
	cleanup/header_pass.c cleanup/header_rewrite.c cleanup/line_ends.c \
	cleanup/recipient_set.c cleanup/settings.c
