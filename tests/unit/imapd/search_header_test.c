/* SPDX-License-Identifier: ISC */
#include "imapd/search_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "imapd/search_words.h"
#include "imapd/sort_key.h"

static const char header[] = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\r\n"
			     "To: a@b, c@d\r\nTo: e@f\r\n"
			     "Date: Mon, 7 Feb 1994 23:00:00 -0800\r\n"
			     "Subject: Re: [list]\r\n\tHello\r\n"
			     "X-One: yes\r\n"
			     "Message-ID: <\"a\\b\"@x>\r\n"
			     "In-Reply-To: <p@x> <q@x>\r\n";

static void
fields(void **state)
{
	static const struct {
		const char *name, *text;
		enum search_answer answer;
	} rows[] = {
		{ "FROM", "J@EXAMPLE", SEARCH_YES },
		{ "FROM", "RGEN", SEARCH_YES },
		{ "FROM", "JU\xcc\x88RGEN", SEARCH_YES },
		{ "FROM", "NOBODY", SEARCH_NO },
		{ "TO", "E@F", SEARCH_YES },
		{ "CC", "A", SEARCH_NO },
		{ "CC", "", SEARCH_NO },
		{ "SUBJECT", "[LIST]\tHELLO", SEARCH_YES },
		{ "X-ONE", "YES", SEARCH_YES },
		{ "X-ONE", "", SEARCH_YES },
		{ "X-NONE", "", SEARCH_NO },
		{ "X-OTHER", "", SEARCH_UNKNOWN },
	};
	const struct span names[] = { SPAN("X-ONE"), SPAN("X-NONE") };
	struct buf record = BUF_INIT(65536), again = BUF_INIT(65536);
	bool none;
	int64_t day;

	(void)state;
	search_header_record(SPAN(header), names, 2, SPAN(""), &record);
	/* names once asked for stay */
	search_header_record(SPAN(header), NULL, 0, buf_span(&record), &again);
	assert_true(span_equal(buf_span(&record), buf_span(&again)));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(search_header_has(buf_span(&record),
				     span_of(rows[i].name),
				     span_of(rows[i].text)),
		    rows[i].answer);
	assert_true(search_header_sent(buf_span(&record), &day, &none));
	assert_false(none);
	assert_int_equal(day, 8803);
	assert_true(
	    search_header_find(SPAN(header), SPAN("X-ONE"), SPAN("YES")));
	/* any cut, any flipped byte: no harm */
	for (size_t n = 0; n < record.n; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, record.p, n);
		search_header_has((struct span){ copy, n }, SPAN("TO"),
		    SPAN("E@F"));
		if (n > 6)
			copy[6] = (char)0xff;
		search_header_has((struct span){ copy, n }, SPAN("TO"),
		    SPAN("E@F"));
		free(copy);
	}
	buf_fini(&record);
	buf_fini(&again);
}

static void
sort_keys(void **state)
{
	static const char *const texts[] = { "HELLO", "J", "A", "",
		"JU\xcc\x88RGEN", "A@B" };
	struct buf record = BUF_INIT(65536);
	struct message_id id;
	struct sort_key key;
	struct span rest = SPAN("<ab@x>");

	(void)state;
	sort_key_make(SPAN(header), &record);
	assert_true(sort_key_read(buf_span(&record), &key));
	for (int i = 0; i < SORT_TEXTS; i++)
		assert_true(span_is(key.text[i], texts[i]));
	assert_true(key.reply && key.has_sent);
	assert_int_equal(key.sent, 760690800);
	/* what the quotes meant */
	assert_true(message_id_next(&rest, &id));
	assert_true(message_id_same(id, key.id));
	/* the first id of In-Reply-To */
	assert_int_equal(key.references, 1);
	rest = SPAN("<p@x>");
	assert_true(message_id_next(&rest, &id));
	assert_true(message_id_same(id, sort_key_reference(&key, 0)));
	for (size_t n = 0; n < record.n; n++)
		assert_false(sort_key_read((struct span){ record.p, n }, &key));
	buf_fini(&record);
}

static void
message_ids(void **state)
{
	static const struct {
		const char *text;
		size_t count;
	} rows[] = {
		{ "", 0 },
		{ "<a@b>", 1 },
		{ "<a@b><c@d> x <e@f>", 3 },
		{ "<a> <@b> <a@> a@b", 0 },
		{ "<a@b <c@d>", 1 },
		{ "<a\r\n @b>", 1 },
		{ "<\"a>b\"@c>", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span rest = span_of(rows[i].text);
		struct message_id id;
		size_t n = 0;

		while (message_id_next(&rest, &id))
			n++;
		assert_int_equal(n, rows[i].count);
	}
}

static void
sign(struct span text, struct buf *out)
{
	struct search_words *w = malloc(sizeof(*w));

	search_words_begin(w, text.n);
	search_words_put(w, span_take(text, text.n / 3));
	search_words_put(w, span_skip(text, text.n / 3));
	search_words_end(w, out);
	free(w);
}

/* What is there is never denied; of what is not, hardly any is let pass. */
static void
signatures(void **state)
{
	struct buf text = BUF_INIT(100000), signature = BUF_INIT(65536);
	struct search_needle n;
	unsigned int seed = 7, passed = 0;

	(void)state;
	while (text.n < 4096) {
		seed = seed * 1103515245 + 12345;
		buf_add_char(&text, (char)('A' + (seed >> 16) % 23));
		if ((seed >> 8) % 6 == 0)
			buf_add_char(&text, ' ');
	}
	sign(buf_span(&text), &signature);
	assert_true(signature.n <= 2049);
	for (size_t at = 0; at + 8 < text.n; at += 7)
		for (size_t length = 0; length < 9; length++) {
			search_needle_make(&n,
			    (struct span){ text.p + at, length });
			assert_true(
			    search_words_may_have(buf_span(&signature), &n));
			free(n.hashes);
		}
	for (int i = 0; i < 1000; i++) {
		char word[8];

		for (size_t k = 0; k < sizeof(word); k++) {
			seed = seed * 1103515245 + 12345;
			word[k] = (char)('A' + (seed >> 16) % 26);
		}
		search_needle_make(&n, (struct span){ word, sizeof(word) });
		passed += search_words_may_have(buf_span(&signature), &n);
		free(n.hashes);
	}
	assert_true(passed < 30);
	/* what is none says nothing */
	search_needle_make(&n, SPAN("QQQQ"));
	assert_true(search_words_may_have(SPAN(""), &n));
	assert_true(
	    search_words_may_have(span_take(buf_span(&signature), 100), &n));
	free(n.hashes);
	buf_fini(&text);
	buf_fini(&signature);
}

enum { BITS = 65536, LEAST = 256 };

/* Which bits of so many the pieces set; how many they are. */
static size_t
set_bits(const struct search_needle *n, size_t size, unsigned char *bits)
{
	size_t count = 0;

	memset(bits, 0, BITS / 8);
	for (size_t i = 0; i < n->count; i++) {
		size_t at = n->hashes[i] & (size - 1);

		count += (bits[at / 8] >> at % 8 & 1) == 0;
		bits[at / 8] |= (unsigned char)(1 << at % 8);
	}
	return count;
}

/* Halved as long as at most 26 of 64 bits are set, and no bit is lost. */
static void
signatures_are_halved(void **state)
{
	static const struct {
		size_t length;
		unsigned int letters; /* that it is made of */
		size_t size; /* of its signature, in bits; 0: whatever */
	} rows[] = {
		{ 0, 1, LEAST },
		{ 50, 26, LEAST },
		{ 4096, 1, LEAST },
		{ 4096, 5, LEAST },
		{ 4096, 9, 0 },
		{ 4096, 95, 8192 },
		{ 70000, 2, LEAST },
		{ 70000, 95, BITS },
	};
	static unsigned char bits[BITS / 8];
	unsigned int seed = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf text = BUF_INIT(BITS * 2), made = BUF_INIT(BITS);
		struct search_needle all;
		size_t size = LEAST;

		while (text.n < rows[i].length) {
			seed = seed * 1103515245 + 12345;
			buf_add_char(&text,
			    (char)(' ' + (seed >> 16) % rows[i].letters));
		}
		sign(buf_span(&text), &made);
		search_needle_make(&all, buf_span(&text));
		while (size < BITS && size < 2 * text.n)
			size *= 2;
		while (size > LEAST &&
		    set_bits(&all, size / 2, bits) <= 26 * (size / 2 / 64))
			size /= 2;
		(void)set_bits(&all, size, bits);
		assert_int_equal(made.n, 1 + size / 8);
		assert_memory_equal(made.p + 1, bits, size / 8);
		if (rows[i].size != 0)
			assert_int_equal(size, rows[i].size);
		free(all.hashes);
		buf_fini(&text);
		buf_fini(&made);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(sort_keys),
		cmocka_unit_test(message_ids),
		cmocka_unit_test(signatures),
		cmocka_unit_test(signatures_are_halved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
