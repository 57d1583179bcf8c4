/* SPDX-License-Identifier: ISC */
#include "lib/mail/encode_binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/base64.h"
#include "lib/base/buf.h"

struct whole {
	struct span in;
	struct buf out;
	uint64_t fail_at; /* a reading behind it fails */
};

static bool
read_it(void *with, uint64_t at, void *to, size_t n)
{
	struct whole *w = with;

	assert_true(at + n <= w->in.n);
	memcpy(to, w->in.p + at, n);
	return at + n <= w->fail_at;
}

static bool
put_it(void *with, struct span bytes)
{
	struct whole *w = with;

	return buf_add_span(&w->out, bytes);
}

static void
becomes(struct span in, struct span want)
{
	struct whole w = { .in = in, .fail_at = UINT64_MAX };
	const struct encode_binary io = { read_it, put_it, &w };

	buf_init(&w.out, SIZE_MAX);
	assert_true(encode_binary(&io, in.n));
	assert_int_equal(w.out.n, want.n);
	assert_memory_equal(w.out.p, want.p, want.n);
	buf_fini(&w.out);
}

#define FIELD "Content-Transfer-Encoding: "
#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n"

static const struct {
	struct span in, want; /* want.p NULL: as it came */
} rows[] = {
	{ SPAN(FIELD "binary\r\n\r\na\0b"),
	    SPAN(FIELD "base64\r\n\r\nYQBi\r\n") },
	/* the first field counts, and nothing but the word changes */
	{ SPAN("A: binary\r\n" FIELD "(x)\r\n BINARY (binary)\r\n" FIELD
	       "binary\r\n\r\n\0"),
	    SPAN("A: binary\r\n" FIELD "(x)\r\n base64 (binary)\r\n" FIELD
		 "binary\r\n\r\nAA==\r\n") },
	/* line ends that no text has */
	{ SPAN(FIELD "binary\r\n\r\na\nb"),
	    SPAN(FIELD "base64\r\n\r\nYQpi\r\n") },
	{ SPAN(FIELD "binary\r\n\r\na\r"),
	    SPAN(FIELD "base64\r\n\r\nYQ0=\r\n") },
	{ SPAN(FIELD "binary\r\n\r\na\rb"),
	    SPAN(FIELD "base64\r\n\r\nYQ1i\r\n") },
	/* all others stay */
	{ SPAN(FIELD "binary\r\n\r\ntext\r\n\r\n\xff\r\n"), { NULL, 0 } },
	{ SPAN(FIELD "8bit\r\n\r\na\0b"), { NULL, 0 } },
	{ SPAN("Subject: \0\r\n\r\na\0b"), { NULL, 0 } },
	{ SPAN(""), { NULL, 0 } },
	{ SPAN(FIELD "binary"), { NULL, 0 } },
	{ SPAN("From x y\r\n" FIELD "binary\r\n\r\n\0"),
	    SPAN("From x y\r\n" FIELD "base64\r\n\r\nAA==\r\n") },
	/* parts: preamble, epilogue and multipart keep theirs */
	{ SPAN(MIXED FIELD "binary\r\n\r\n\0\r\n--b\r\n\r\n\0\r\n--b\r\n" FIELD
			   "binary\r\n\r\na\0b\r\n--b\r\n" FIELD
			   "Binary\r\n\r\n\r\0\n\r\n--b--\r\n\0"),
	    SPAN(
		MIXED FIELD "binary\r\n\r\n\0\r\n--b\r\n\r\n\0\r\n--b\r\n" FIELD
			    "base64\r\n\r\nYQBi\r\n--b\r\n" FIELD
			    "base64\r\n\r\nDQAK\r\n--b--\r\n\0") },
	/* messages within */
	{ SPAN("Content-Type: message/rfc822\r\n" FIELD "binary\r\n\r\n" FIELD
	       "binary\r\n\r\n\0"),
	    SPAN("Content-Type: message/rfc822\r\n" FIELD "binary\r\n\r\n" FIELD
		 "base64\r\n\r\nAA==\r\n") },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		becomes(rows[i].in,
		    rows[i].want.p != NULL ? rows[i].want : rows[i].in);
}

/* Larger than any piece, of all lengths that matter for the last line. */
static void
test_large(void **state)
{
	static const char header[] = FIELD "binary\r\n\r\n";
	static const char encoded[] = FIELD "base64\r\n\r\n";
	enum { MOST = 90000 };
	struct buf in = BUF_INIT(SIZE_MAX), want = BUF_INIT(SIZE_MAX);

	(void)state;
	for (size_t n = MOST - 120; n < MOST; n++) {
		struct span body;

		buf_reset(&in);
		buf_add_text(&in, header);
		for (size_t i = 0; i < n; i++)
			buf_add_char(&in, (char)(i * 7));
		buf_reset(&want);
		buf_add_text(&want, encoded);
		body = span_skip(buf_span(&in), strlen(header));
		for (; body.n > 0; body = span_skip(body, 57)) {
			base64_encode(span_take(body, 57), &want);
			buf_add_text(&want, "\r\n");
		}
		becomes(buf_span(&in), buf_span(&want));
	}
	buf_fini(&in);
	buf_fini(&want);
}

static void
test_failing_reads(void **state)
{
	static const struct span text = SPAN(FIELD "binary\r\n\r\na\0b");
	struct whole w = { .in = text, .fail_at = text.n - 1 };
	const struct encode_binary io = { read_it, put_it, &w };

	(void)state;
	buf_init(&w.out, SIZE_MAX);
	assert_false(encode_binary(&io, text.n));
	buf_fini(&w.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_failing_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
