/* SPDX-License-Identifier: ISC */
#include "lib/mail/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

struct row {
	const char *message;
	const char *fields; /* "name=value;" of each */
	enum header_next end;
	const char *body;
};

static const struct row rows[] = {
	{ "", "", HEADER_BODY, "" },
	{ "\r\nbody", "", HEADER_BODY, "body" },
	{ "\nbody", "", HEADER_BODY, "body" },
	{ "A: b\r\n\r\nbody", "A= b;", HEADER_BODY, "body" },
	{ "A: b\n\nbody", "A= b;", HEADER_BODY, "body" },
	{ "A: b\r\n\tc\r\n d\r\nE:f\r\n\r\n", "A= b\r\n\tc\r\n d;E=f;",
	    HEADER_BODY, "" },
	{ "A \t: b\r\n\r\n", "A= b;", HEADER_BODY, "" },
	{ "A: b\r\nno field\r\n\r\nbody", "A= b;", HEADER_BROKEN,
	    "no field\r\n\r\nbody" },
	{ " A: b\r\n\r\n", "", HEADER_BROKEN, " A: b\r\n\r\n" },
	{ ": b\r\n\r\n", "", HEADER_BROKEN, ": b\r\n\r\n" },
	{ "A: b", "A= b;", HEADER_BODY, "" },
	{ "A:\r\n\r\n", "A=;", HEADER_BODY, "" },
	{ "A: b\r\n \r\n\r\nx", "A= b\r\n ;", HEADER_BODY, "x" },
	{ "A\xe4: b\r\n\r\n", "", HEADER_BROKEN, "A\xe4: b\r\n\r\n" },
};

static enum header_next
collect(struct span *rest, bool last, struct buf *out)
{
	struct header_field f;
	enum header_next r;

	while ((r = header_next(rest, last, &f)) == HEADER_FIELD) {
		buf_add_span(out, f.name);
		buf_add_char(out, '=');
		buf_add_span(out, f.value);
		buf_add_char(out, ';');
	}
	return r;
}

static void
splits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf found = BUF_INIT(1024);
		struct span rest = span_of(rows[i].message);

		assert_int_equal(collect(&rest, true, &found), rows[i].end);
		assert_string_equal(buf_text(&found), rows[i].fields);
		assert_true(span_is(rest, rows[i].body));
		buf_fini(&found);
	}
}

/* Cut anywhere, the fields and the end are the same. */
static void
in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].message);

		for (size_t cut = 0; cut <= n; cut++) {
			struct buf found = BUF_INIT(1024);
			struct span rest = { rows[i].message, cut };
			enum header_next r = collect(&rest, false, &found);

			rest.n = (size_t)(rows[i].message + n - rest.p);
			if (r == HEADER_MORE)
				r = collect(&rest, true, &found);
			assert_int_equal(r, rows[i].end);
			assert_string_equal(buf_text(&found), rows[i].fields);
			assert_true(span_is(rest, rows[i].body));
			buf_fini(&found);
		}
	}
}

static const struct {
	const char *message;
	size_t taken;
} envelopes[] = {
	{ "From a@b Mon Jan  1 00:00:00 2024\nA: b\n\n", 34 },
	{ "From a\r\nA: b\r\n\r\n", 8 },
	{ ">From a\nA: b\n\n", 8 },
	{ "From \n", 6 },
	{ "", 0 },
	{ ">", 0 },
	{ "From", 0 },
	{ "From a", 0 }, /* all there is */
	{ "from a\nA: b\n", 0 },
	{ ">>From a\nA: b\n", 0 },
	{ "From: a@b\nA: b\n", 0 },
	{ "From : a@b\nA: b\n", 0 },
	{ "\nFrom a\n", 0 },
	{ "A: b\nFrom a\n", 0 },
};

/* Also in pieces: nothing is said too early, and nothing is taken then. */
static void
envelope_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(envelopes) / sizeof(envelopes[0]); i++) {
		const char *m = envelopes[i].message;
		struct span rest = span_of(m);

		assert_true(header_skip_envelope(&rest, true));
		assert_int_equal(rest.p - m, envelopes[i].taken);
		for (size_t n = 0; n < strlen(m); n++) {
			bool known;

			rest = (struct span){ m, n };
			known = header_skip_envelope(&rest, false);
			assert_int_equal(rest.p - m,
			    known ? envelopes[i].taken : 0);
			if (n >= envelopes[i].taken && envelopes[i].taken > 0)
				assert_true(known);
		}
	}
}

/* One without an end is no such line. */
static void
endless_envelope_line(void **state)
{
	char text[1100];
	struct span rest = { text, sizeof(text) };

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "From ", 5);
	text[sizeof(text) - 1] = '\n';
	assert_true(header_skip_envelope(&rest, false));
	assert_int_equal(rest.n, sizeof(text));
}

static void
unfolding(void **state)
{
	struct buf out = BUF_INIT(64);
	struct span value;

	(void)state;
	assert_true(header_find(SPAN("A: 1\r\nsubject: a\r\n b\n\tc \r\n\r\n"),
	    "Subject", &value));
	assert_true(header_unfold(value, &out));
	assert_string_equal(buf_text(&out), "a b\tc");
	assert_false(header_find(SPAN("A: 1\r\n\r\nB: 2\r\n"), "B", &value));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(envelope_line),
		cmocka_unit_test(endless_envelope_line),
		cmocka_unit_test(unfolding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
