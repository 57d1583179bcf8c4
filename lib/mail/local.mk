# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += \
	lib/mail/address_list.c lib/mail/address_list.h \
	lib/mail/author.c lib/mail/author.h \
	lib/mail/character_set.c lib/mail/character_set.h \
	lib/mail/delivery_log.c lib/mail/delivery_log.h \
	lib/mail/destination.c lib/mail/destination.h \
	lib/mail/esmtp.c lib/mail/esmtp.h \
	lib/mail/header.c lib/mail/header.h \
	lib/mail/mail_address.c lib/mail/mail_address.h \
	lib/mail/mime_tree.h \
	lib/mail/received.c lib/mail/received.h \
	lib/mail/reply.c lib/mail/reply.h \
	lib/mail/resolve.h \
	lib/mail/rewrite.c lib/mail/rewrite.h \
	lib/mail/smtp_content.c lib/mail/smtp_content.h \
	lib/mail/smtp_path.c lib/mail/smtp_path.h \
	lib/mail/status_filter.c lib/mail/status_filter.h \
	lib/mail/xtext.c lib/mail/xtext.h

if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/lib/mail/address_list_test \
	tests/unit/lib/mail/author_test \
	tests/unit/lib/mail/delivery_log_test \
	tests/unit/lib/mail/destination_test \
	tests/unit/lib/mail/header_test \
	tests/unit/lib/mail/reply_test \
	tests/unit/lib/mail/smtp_content_test \
	tests/unit/lib/mail/smtp_path_test \
	tests/unit/lib/mail/xtext_test
TESTS += \
	tests/unit/lib/mail/address_list_test \
	tests/unit/lib/mail/author_test \
	tests/unit/lib/mail/delivery_log_test \
	tests/unit/lib/mail/destination_test \
	tests/unit/lib/mail/header_test \
	tests/unit/lib/mail/reply_test \
	tests/unit/lib/mail/smtp_content_test \
	tests/unit/lib/mail/smtp_path_test \
	tests/unit/lib/mail/xtext_test
endif
tests_unit_lib_mail_address_list_test_SOURCES = tests/unit/lib/mail/address_list_test.c
tests_unit_lib_mail_address_list_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_mail_author_test_SOURCES = tests/unit/lib/mail/author_test.c
tests_unit_lib_mail_author_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_mail_destination_test_SOURCES = tests/unit/lib/mail/destination_test.c
tests_unit_lib_mail_destination_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_mail_header_test_SOURCES = tests/unit/lib/mail/header_test.c
tests_unit_lib_mail_header_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_mail_reply_test_SOURCES = tests/unit/lib/mail/reply_test.c
tests_unit_lib_mail_reply_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_mail_smtp_content_test_SOURCES = tests/unit/lib/mail/smtp_content_test.c
tests_unit_lib_mail_smtp_content_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_mail_smtp_path_test_SOURCES = tests/unit/lib/mail/smtp_path_test.c
tests_unit_lib_mail_smtp_path_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_mail_xtext_test_SOURCES = tests/unit/lib/mail/xtext_test.c
tests_unit_lib_mail_xtext_test_LDADD = $(LDADD) -lcmocka

check_PROGRAMS += \
	tests/fuzz/address_list_fuzz \
	tests/fuzz/esmtp_fuzz \
	tests/fuzz/header_fuzz \
	tests/fuzz/rewrite_fuzz \
	tests/fuzz/smtp_content_fuzz \
	tests/fuzz/smtp_path_fuzz \
	tests/fuzz/xtext_fuzz
TESTS += \
	tests/fuzz/address_list_fuzz \
	tests/fuzz/esmtp_fuzz \
	tests/fuzz/header_fuzz \
	tests/fuzz/rewrite_fuzz \
	tests/fuzz/smtp_content_fuzz \
	tests/fuzz/smtp_path_fuzz \
	tests/fuzz/xtext_fuzz
tests_fuzz_address_list_fuzz_SOURCES = tests/fuzz/address_list_fuzz.c tests/fuzz/replay.c
tests_fuzz_esmtp_fuzz_SOURCES = tests/fuzz/esmtp_fuzz.c tests/fuzz/replay.c
tests_fuzz_rewrite_fuzz_SOURCES = \
	tests/fuzz/rewrite_fuzz.c tests/fuzz/replay.c
tests_fuzz_header_fuzz_SOURCES = tests/fuzz/header_fuzz.c tests/fuzz/replay.c
tests_fuzz_smtp_content_fuzz_SOURCES = tests/fuzz/smtp_content_fuzz.c tests/fuzz/replay.c
tests_fuzz_smtp_path_fuzz_SOURCES = tests/fuzz/smtp_path_fuzz.c tests/fuzz/replay.c
tests_fuzz_xtext_fuzz_SOURCES = tests/fuzz/xtext_fuzz.c tests/fuzz/replay.c
tests_unit_lib_mail_delivery_log_test_SOURCES = tests/unit/lib/mail/delivery_log_test.c
tests_unit_lib_mail_delivery_log_test_LDADD = $(LDADD) -lcmocka

libposthaste_a_SOURCES += lib/mail/smtp_wire.c lib/mail/smtp_wire.h
check_PROGRAMS += tests/unit/lib/mail/smtp_wire_test tests/fuzz/smtp_wire_fuzz
TESTS += tests/unit/lib/mail/smtp_wire_test tests/fuzz/smtp_wire_fuzz
tests_unit_lib_mail_smtp_wire_test_SOURCES = tests/unit/lib/mail/smtp_wire_test.c
tests_unit_lib_mail_smtp_wire_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_smtp_wire_fuzz_SOURCES = tests/fuzz/smtp_wire_fuzz.c tests/fuzz/replay.c

libposthaste_a_SOURCES += lib/mail/downgrade.c lib/mail/downgrade.h \
	lib/mail/encoded_parameter.c lib/mail/encoded_parameter.h \
	lib/mail/encoded_word.c lib/mail/encoded_word.h \
	lib/mail/mime_walk.c lib/mail/mime_walk.h
check_PROGRAMS += tests/unit/lib/mail/downgrade_test tests/fuzz/downgrade_fuzz
TESTS += tests/unit/lib/mail/downgrade_test tests/fuzz/downgrade_fuzz
tests_unit_lib_mail_downgrade_test_SOURCES = tests/unit/lib/mail/downgrade_test.c
tests_unit_lib_mail_downgrade_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_downgrade_fuzz_SOURCES = tests/fuzz/downgrade_fuzz.c tests/fuzz/replay.c

libposthaste_a_SOURCES += lib/mail/base_subject.c lib/mail/base_subject.h \
	lib/mail/collate.c lib/mail/collate.h
check_PROGRAMS += tests/unit/lib/mail/base_subject_test \
	tests/unit/lib/mail/mime_decode_test tests/fuzz/base_subject_fuzz
TESTS += tests/unit/lib/mail/base_subject_test \
	tests/unit/lib/mail/mime_decode_test tests/fuzz/base_subject_fuzz
tests_unit_lib_mail_base_subject_test_SOURCES = \
	tests/unit/lib/mail/base_subject_test.c
tests_unit_lib_mail_base_subject_test_LDADD = $(LDADD) -lcmocka
tests_unit_lib_mail_mime_decode_test_SOURCES = \
	tests/unit/lib/mail/mime_decode_test.c
tests_unit_lib_mail_mime_decode_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_base_subject_fuzz_SOURCES = tests/fuzz/base_subject_fuzz.c \
	tests/fuzz/replay.c

libposthaste_a_SOURCES += lib/mail/zones.def \
	lib/mail/message_date.c lib/mail/message_date.h
check_PROGRAMS += tests/unit/lib/mail/message_date_test
TESTS += tests/unit/lib/mail/message_date_test
tests_unit_lib_mail_message_date_test_SOURCES = \
	tests/unit/lib/mail/message_date_test.c
tests_unit_lib_mail_message_date_test_LDADD = $(LDADD) -lcmocka
libposthaste_a_SOURCES += lib/mail/charset.c lib/mail/charset.h \
	lib/mail/mime_encodings.def \
	lib/mail/mime_decode.c lib/mail/mime_decode.h \
	lib/mail/mime_decode_header.c \
	lib/mail/header_fields.def \
	lib/mail/mime_fields.c lib/mail/mime_fields.h \
	lib/mail/mime_parameter.c lib/mail/mime_parameter.h \
	lib/mail/mime_tree.c lib/mail/mime_tree_find.c \
	lib/mail/mime_types.def \
	lib/mail/mime_tree_pack.c lib/mail/mime_tree_private.h
check_PROGRAMS += tests/unit/lib/mail/mime_tree_test \
	tests/fuzz/mime_tree_fuzz tests/fuzz/mime_unpack_fuzz
TESTS += tests/unit/lib/mail/mime_tree_test \
	tests/fuzz/mime_tree_fuzz tests/fuzz/mime_unpack_fuzz
tests_unit_lib_mail_mime_tree_test_SOURCES = tests/unit/lib/mail/mime_tree_test.c
tests_unit_lib_mail_mime_tree_test_LDADD = $(LDADD) -lcmocka
tests_fuzz_mime_tree_fuzz_SOURCES = tests/fuzz/mime_tree_fuzz.c tests/fuzz/replay.c
tests_fuzz_mime_unpack_fuzz_SOURCES = tests/fuzz/mime_unpack_fuzz.c tests/fuzz/replay.c

libposthaste_a_SOURCES += lib/mail/encode_binary.c lib/mail/encode_binary.h
check_PROGRAMS += tests/unit/lib/mail/encode_binary_test \
	tests/fuzz/encode_binary_fuzz
TESTS += tests/unit/lib/mail/encode_binary_test tests/fuzz/encode_binary_fuzz
tests_fuzz_encode_binary_fuzz_SOURCES = tests/fuzz/encode_binary_fuzz.c \
	tests/fuzz/replay.c
tests_unit_lib_mail_encode_binary_test_SOURCES = \
	tests/unit/lib/mail/encode_binary_test.c
tests_unit_lib_mail_encode_binary_test_LDADD = $(LDADD) -lcmocka
