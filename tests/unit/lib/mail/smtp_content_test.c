/* SPDX-License-Identifier: ISC */
#include "lib/mail/smtp_content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/buf.h"

enum { OUT_MAX = 1 << 20 };

struct outcome {
	struct buf content;
	bool ended;
	size_t left; /* input behind the end */
	bool bare_lf;
	bool bare_cr;
};

static void
feed(struct smtp_content *c, struct span in, struct outcome *o)
{
	enum smtp_content_event event;
	struct span out;

	while ((event = smtp_content_next(c, &in, &out)) == CONTENT_DATA) {
		assert_true(out.n > 0);
		assert_true(buf_add_span(&o->content, out));
	}
	if (event == CONTENT_END) {
		o->ended = true;
		o->left += in.n;
		return;
	}
	assert_int_equal(in.n, 0);
}

static void
finish(const struct smtp_content *c, struct outcome *o)
{
	o->bare_lf = c->bare_lf;
	o->bare_cr = c->bare_cr;
}

/* In two pieces. */
static struct outcome
scan(struct span in, size_t first)
{
	struct outcome o = { .content = BUF_INIT(OUT_MAX) };
	struct smtp_content c = { 0 };

	feed(&c, span_take(in, first), &o);
	if (o.ended)
		o.left += in.n - first;
	else
		feed(&c, span_skip(in, first), &o);
	finish(&c, &o);
	return o;
}

/*
 * The same rules, written as a reader of whole lines: the content up to the
 * first CRLF.CRLF, then line by line.
 */
static bool
end_of_data(struct span in, size_t *at)
{
	if (span_starts(in, ".\r\n")) {
		*at = 0;
		return true;
	}
	for (size_t i = 0; i + 5 <= in.n; i++)
		if (memcmp(in.p + i, "\r\n.\r\n", 5) == 0) {
			*at = i + 2;
			return true;
		}
	return false;
}

static void
reference(struct span in, struct outcome *o)
{
	bool after_crlf = true, line = true;
	size_t end = in.n;

	o->ended = end_of_data(in, &end);
	if (o->ended)
		o->left = in.n - end - 3;
	for (size_t i = 0; i < end; i++) {
		char c = in.p[i];
		bool lf_next = i + 1 < in.n && in.p[i + 1] == '\n';

		if (line && c == '.' &&
		    (after_crlf || (i + 1 < end && in.p[i + 1] == '.'))) {
			line = false;
			continue;
		}
		line = false;
		if (c == '\n') {
			o->bare_lf = true;
			line = true;
			after_crlf = false;
			buf_add_text(&o->content, "\r\n");
		} else if (c == '\r' && lf_next) {
			i++;
			line = after_crlf = true;
			buf_add_text(&o->content, "\r\n");
		} else if (c == '\r') {
			o->bare_cr = true;
			buf_add_char(&o->content, ' ');
		} else {
			buf_add_char(&o->content, c);
		}
	}
}

static void
same(struct span in, const struct outcome *got, const struct outcome *want)
{
	bool good = got->ended == want->ended &&
	    got->bare_lf == want->bare_lf && got->bare_cr == want->bare_cr &&
	    span_equal(buf_span(&got->content), buf_span(&want->content));

	if (!good) {
		print_error("input:");
		for (size_t i = 0; i < in.n; i++)
			print_error(" %02x", (unsigned char)in.p[i]);
		print_error("\nended %d, want %d; content \"%s\", want "
			    "\"%s\"\n",
		    got->ended, want->ended, buf_text(&got->content),
		    buf_text(&want->content));
	}
	assert_true(good);
}

/* Every way to cut the input in two, and each byte alone. */
static void
check(struct span in)
{
	struct outcome want = { .content = BUF_INIT(OUT_MAX) };
	struct outcome alone = { .content = BUF_INIT(OUT_MAX) };
	struct smtp_content c = { 0 };

	reference(in, &want);
	for (size_t cut = 0; cut <= in.n; cut++) {
		struct outcome got = scan(in, cut);

		same(in, &got, &want);
		if (got.ended)
			assert_int_equal(got.left, want.left);
		buf_fini(&got.content);
	}
	for (size_t i = 0; i < in.n && !alone.ended; i++)
		feed(&c, (struct span){ in.p + i, 1 }, &alone);
	finish(&c, &alone);
	same(in, &alone, &want);
	buf_fini(&alone.content);
	buf_fini(&want.content);
}

/*
 * All that is like an end of data without being one: {line end} dot {line
 * end} with a second message behind, then the real end.
 */
static void
smuggling_matrix(void **state)
{
	static const struct span ends[] = {
		{ "\r", 1 },
		{ "\n", 1 },
		{ "\r\n", 2 },
		{ "\r\r\n", 3 },
		{ "\n\r", 2 },
		{ "\0", 1 },
		{ "\r\n\r", 3 },
		{ "", 0 },
		{ "\r\0\n", 3 },
		{ "\n\n", 2 },
	};
	static const char *const dots[] = { ".", "..", ". ", ".\0" };
	const size_t count = sizeof(ends) / sizeof(ends[0]);

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t d = 0; d < 4; d++)
			for (size_t k = 0; k < count; k++) {
				char text[128];
				size_t n = 0;
				struct span parts[] = {
					SPAN("Subject: x\r\n\r\na"), ends[i],
					{ dots[d], d == 0 ? 1 : 2 }, ends[k],
					SPAN("MAIL FROM:<evil@x>\r\n"),
					SPAN(".\r\n"), SPAN("QUIT\r\n")
				};

				for (size_t p = 0; p < 7; p++) {
					memcpy(text + n, parts[p].p,
					    parts[p].n);
					n += parts[p].n;
				}
				check((struct span){ text, n });
			}
}

/* Every text of up to seven bytes that matter, then the end. */
static void
every_short_text(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'a' };
	char text[16];

	(void)state;
	for (size_t n = 0; n <= 7; n++)
		for (size_t word = 0; word < (size_t)1 << (2 * n); word++) {
			for (size_t i = 0; i < n; i++)
				text[i] = alphabet[word >> (2 * i) & 3];
			memcpy(text + n, "x\r\n.\r\n", 6);
			check((struct span){ text, n + 6 });
		}
}

static void
expect(const char *in, const char *want)
{
	struct outcome got = scan(span_of(in), strlen(in));

	assert_true(got.ended);
	assert_string_equal(buf_text(&got.content), want);
	buf_fini(&got.content);
}

static void
known_answers(void **state)
{
	(void)state;
	expect(".\r\n", "");
	expect("a\r\n.\r\n", "a\r\n");
	expect("..\r\n.\r\n", ".\r\n");
	expect("...a\r\n..b\r\n.\r\n", "..a\r\n.b\r\n");
	expect(".hidden\r\n.\r\n", "hidden\r\n");
	expect("a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n");
	expect("a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n");
	expect("a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n");
	expect("a\n..b\r\n.\r\n", "a\r\n.b\r\n");
	expect("a\n.b\r\n.\r\n", "a\r\n.b\r\n");
	expect("a\r.\rb\r\n.\r\n", "a . b\r\n");
	expect("a\r\r\n.\r\n", "a \r\n");
}

static void
clean_input_comes_out_whole(void **state)
{
	static const char text[] = "one\r\ntwo\r\n\r\nthree\r\nfo";
	struct span in = SPAN("one\r\ntwo\r\n\r\nthree\r\nfo");
	struct smtp_content c = { 0 };
	struct span out;

	(void)state;
	in.p = text;
	assert_int_equal(smtp_content_next(&c, &in, &out), CONTENT_DATA);
	assert_ptr_equal(out.p, text);
	assert_int_equal(out.n, sizeof(text) - 1);
	assert_int_equal(in.n, 0);
}

static void
what_follows_the_end_is_left(void **state)
{
	struct span in = SPAN("a\r\n.\r\nQUIT\r\n");
	struct smtp_content c = { 0 };
	struct span out;

	(void)state;
	while (smtp_content_next(&c, &in, &out) == CONTENT_DATA)
		continue;
	assert_true(span_is(in, "QUIT\r\n"));
	assert_int_equal(smtp_content_next(&c, &in, &out), CONTENT_END);
	assert_true(span_is(in, "QUIT\r\n"));
}

/* Where a line ends in the buffer makes no difference. */
static void
long_lines_are_read_in_steps(void **state)
{
	static const char *const ends[] = { "\r\n", "\r", "\n", "\r\r\n",
		"\r\n.\r", "\n.\r\n", "\r\n.\r\n" };

	(void)state;
	for (size_t n = 1020; n < 1030; n++)
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
			struct buf in = BUF_INIT(8192);
			struct outcome whole,
			    bytes = { .content = BUF_INIT(OUT_MAX) };
			struct smtp_content c = { 0 };

			for (int twice = 0; twice < 2; twice++) {
				for (size_t k = 0; k < n; k++)
					buf_add_char(&in, 'a');
				buf_add_text(&in, ends[i]);
			}
			whole = scan(buf_span(&in), in.n);
			for (size_t k = 0; k < in.n && !bytes.ended; k++)
				feed(&c, (struct span){ in.p + k, 1 }, &bytes);
			finish(&c, &bytes);
			assert_true(span_equal(buf_span(&whole.content),
			    buf_span(&bytes.content)));
			assert_int_equal(whole.ended, bytes.ended);
			assert_int_equal(whole.bare_cr, bytes.bare_cr);
			assert_int_equal(whole.bare_lf, bytes.bare_lf);
			buf_fini(&in);
			buf_fini(&whole.content);
			buf_fini(&bytes.content);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_lines_are_read_in_steps),
		cmocka_unit_test(known_answers),
		cmocka_unit_test(smuggling_matrix),
		cmocka_unit_test(every_short_text),
		cmocka_unit_test(clean_input_comes_out_whole),
		cmocka_unit_test(what_follows_the_end_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
