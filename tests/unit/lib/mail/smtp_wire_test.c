/* SPDX-License-Identifier: ISC */
#include "lib/mail/smtp_wire.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/buf.h"

static void
collect(void *with, struct span bytes)
{
	assert_true(bytes.n > 0);
	buf_add_span(with, bytes);
}

static const struct {
	const char *in;
	const char *out; /* with a limit of 10 */
} rows[] = {
	{ "", "" },
	{ "a\r\n", "a\r\n" },
	{ "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n" },
	{ "a", "a\r\n" },
	{ "a\r", "a\r\n" },
	{ ".\r\n", "..\r\n" },
	{ "..\r\n", "...\r\n" },
	{ "a.\r\n.b\r\n", "a.\r\n..b\r\n" },
	{ ".", "..\r\n" },
	/* nothing that another server might take for an end of data */
	{ "a\n.\nb\r\n", "a\r\n..\r\nb\r\n" },
	{ "a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n" },
	{ "a\r\n.\nb\r\n", "a\r\n..\r\nb\r\n" },
	{ "a\r.\r\nb\r\n", "a .\r\nb\r\n" },
	{ "a\r\n.\rb\r\n", "a\r\n.. b\r\n" },
	{ "a\r\r\n.\r\n", "a \r\n..\r\n" },
	{ "\r.\r\n", " .\r\n" },
	{ "\n", "\r\n" },
	{ "\r\n", "\r\n" },
	/* long lines */
	{ "0123456789\r\n", "0123456789\r\n" },
	{ "0123456789a\r\n", "0123456789\r\n a\r\n" },
	{ "0123456789abcdefghijk\r\n", "0123456789\r\n abcdefghi\r\n jk\r\n" },
	{ "0123456789.\r\n", "0123456789\r\n .\r\n" },
	{ "0123456789\rb\r\n", "0123456789\r\n  b\r\n" },
	{ ".123456789\r\n", "..123456789\r\n" },
	{ "01234567\xe2\x82\xac\r\n", "01234567\r\n \xe2\x82\xac\r\n" },
	{ "0123456\xe2\x82\xac\r\n", "0123456\xe2\x82\xac\r\n" },
	/* no UTF-8: cut somewhere */
	{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\r\n",
	    "\x80\x80\x80\x80\x80\x80\x80\r\n \x80\x80\x80\x80\r\n" },
};

static void
check(size_t row, size_t split, size_t second)
{
	struct span in = span_of(rows[row].in);
	struct buf out = BUF_INIT(1000);
	struct smtp_wire w;

	smtp_wire_init(&w, 10, collect, &out);
	smtp_wire_put(&w, span_take(in, split));
	in = span_skip(in, split);
	smtp_wire_put(&w, span_take(in, second));
	smtp_wire_put(&w, span_skip(in, second));
	smtp_wire_end(&w);
	if (second == 0 || strchr(rows[row].in, (char)0x80) == NULL)
		assert_string_equal(buf_text(&out), rows[row].out);
	buf_fini(&out);
}

static void
every_split_gives_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].in);

		check(i, 0, 0);
		for (size_t a = 0; a <= n && rows[i].in[0] != '\x80'; a++)
			for (size_t b = 0; a + b <= n; b++)
				if (strchr(rows[i].in, '\xe2') == NULL)
					check(i, a, b);
	}
}

static void
clean_input_passes_whole(void **state)
{
	struct buf out = BUF_INIT(100000), in = BUF_INIT(100000);
	struct smtp_wire w;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_printf(&in, "line %d of many\r\n\r\n", i);
	smtp_wire_init(&w, 998, collect, &out);
	smtp_wire_put(&w, buf_span(&in));
	smtp_wire_end(&w);
	assert_true(span_equal(buf_span(&in), buf_span(&out)));
	buf_fini(&in);
	buf_fini(&out);
}

static void
no_limit_folds_nothing(void **state)
{
	struct buf out = BUF_INIT(10000), in = BUF_INIT(10000);
	struct smtp_wire w;

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_add_char(&in, 'x');
	smtp_wire_init(&w, 0, collect, &out);
	smtp_wire_put(&w, buf_span(&in));
	smtp_wire_end(&w);
	assert_int_equal(out.n, 5002);
	buf_fini(&in);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gives_the_same),
		cmocka_unit_test(clean_input_passes_whole),
		cmocka_unit_test(no_limit_folds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
