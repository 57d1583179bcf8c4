/* SPDX-License-Identifier: ISC */
#include "smtp/header_stream.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

/* What came out, each field in brackets. */
struct seen {
	struct buf text;
	struct buf marked;
};

static void
field(void *with, const struct header_field *f)
{
	struct seen *s = with;

	buf_add_span(&s->text, f->whole);
	buf_add_char(&s->marked, '[');
	buf_add_span(&s->marked, f->name);
	buf_add_char(&s->marked, ']');
}

static void
other(void *with, struct span bytes)
{
	struct seen *s = with;

	buf_add_span(&s->text, bytes);
	buf_add_span(&s->marked, bytes);
}

static void
run(struct span in, size_t first, size_t step, struct seen *s)
{
	struct header_stream h;

	buf_reset(&s->text);
	buf_reset(&s->marked);
	header_stream_init(&h, field, other, s);
	header_stream_put(&h, span_take(in, first));
	for (in = span_skip(in, first); in.n > 0; in = span_skip(in, step))
		header_stream_put(&h, span_take(in, step));
	header_stream_end(&h);
	header_stream_fini(&h);
}

static void
nothing_is_lost_wherever_it_is_split(void **state)
{
	static const struct {
		const char *in;
		const char *marked;
	} rows[] = {
		{ "", "" },
		{ "A: b\r\nC: d\r\n e\r\n\r\nF: g\r\n", "[A][C]\r\nF: g\r\n" },
		{ "A: b\nC: d\n\n\nx", "[A][C]\n\nx" },
		{ "\r\nA: b\r\n", "\r\nA: b\r\n" },
		{ "A: b\r\nno field\r\nC: d\r\n", "[A]no field\r\nC: d\r\n" },
		{ "A: b\r\n", "[A]" },
		{ "A: b", "[A]" },
	};
	struct seen s = { BUF_INIT(4096), BUF_INIT(4096) };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t n = 0; n <= strlen(rows[i].in); n++)
			for (size_t step = 1; step < 4; step++) {
				run(span_of(rows[i].in), n, step, &s);
				assert_string_equal(buf_text(&s.text),
				    rows[i].in);
				assert_string_equal(buf_text(&s.marked),
				    rows[i].marked);
			}
	buf_fini(&s.text);
	buf_fini(&s.marked);
}

static void
fields_up_to_the_limit_and_no_longer(void **state)
{
	struct seen s = { BUF_INIT(8 << 20), BUF_INIT(8 << 20) };
	struct buf in = BUF_INIT(8 << 20);

	(void)state;
	for (int more = 0; more < 2; more++) {
		buf_reset(&in);
		buf_add_text(&in, "A: ");
		while (in.n < HEADER_STREAM_MAX - 2 + (size_t)more)
			buf_add_char(&in, 'x');
		buf_add_text(&in, "\r\nB: y\r\n\r\nbody");
		run(buf_span(&in), 0, 65536, &s);
		assert_true(span_equal(buf_span(&s.text), buf_span(&in)));
		assert_true(span_starts(buf_span(&s.marked), "[A][B]"));
	}
	buf_reset(&in);
	buf_add_text(&in, "A: ");
	while (in.n < 3 * HEADER_STREAM_MAX)
		buf_add_char(&in, 'x');
	buf_add_text(&in, "\r\nB: y\r\n\r\nbody");
	run(buf_span(&in), 0, 65536, &s);
	assert_true(span_equal(buf_span(&s.text), buf_span(&in)));
	assert_true(span_equal(buf_span(&s.marked), buf_span(&in)));
	buf_fini(&in);
	buf_fini(&s.text);
	buf_fini(&s.marked);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_wherever_it_is_split),
		cmocka_unit_test(fields_up_to_the_limit_and_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
