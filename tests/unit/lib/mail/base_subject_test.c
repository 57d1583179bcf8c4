/* SPDX-License-Identifier: ISC */
#include "lib/mail/base_subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static const struct {
	const char *subject, *base;
	bool reply;
} rows[] = {
	{ "", "", false },
	{ "Hello", "Hello", false },
	{ "Re: Hello", "Hello", true },
	{ "RE: re: FWD: Hello", "Hello", true },
	{ "fw: Hello", "Hello", true },
	{ "Re : Hello", "Hello", true },
	{ "Re[2]: Hello", "Hello", true },
	{ "Re [2] : Hello", "Hello", true },
	{ "Re[2][3]: Hello", "Re[2][3]: Hello", false },
	{ "[list] Hello", "Hello", false },
	{ "[list] Re: Hello", "Hello", true },
	{ "Re: [list] Hello", "Hello", true },
	{ "[a] [b] Re: [c] Re: Hello", "Hello", true },
	{ "[list]", "[list]", false },
	{ "[a][b]", "[b]", false },
	{ "Re: [a] [b]", "[b]", true },
	{ "[a [b] c", "[a [b] c", false },
	{ "Hello (fwd)", "Hello", true },
	{ "Hello (fwd) (FWD) ", "Hello", true },
	{ "[Fwd: Hello]", "Hello", true },
	{ "[fwd: Re: [fwd: Hello (fwd)]]", "Hello", true },
	{ "[Fwd: [list] Hello]", "Hello", true },
	{ "[fwd:]", "", true },
	{ "[fwd: a] b", "b", false },
	{ "Re:", "", true },
	{ " \t Hello\t  world ", "Hello world", false },
	{ "Hello\r\n world", "Hello world", false },
	{ "Reply: Hello", "Reply: Hello", false },
	{ "re", "re", false },
	{ "(fwd)", "", true },
	{ "AW: Hello", "AW: Hello", false },
	{ "[", "[", false },
	{ "]", "]", false },
	{ "\xc3\xa4 Re: x", "\xc3\xa4 Re: x", false },
};

static void
rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT(1000);
		bool reply = base_subject(span_of(rows[i].subject), &out);

		if (strcmp(buf_text(&out), rows[i].base) != 0)
			print_message("of \"%s\"\n", rows[i].subject);
		assert_string_equal(buf_text(&out), rows[i].base);
		assert_int_equal(reply, rows[i].reply);
		buf_fini(&out);
	}
}

/* 256 KiB of what might be looked at again and again. */
static void
linear(void **state)
{
	static const char *const pieces[] = { "[a]", "[", "re:", "(fwd)",
		"[fwd:", "re[", "[a]re ", " ", "[fwd:[a]" };
	struct buf s = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	clock_t start = clock();

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		buf_reset(&s);
		buf_reset(&out);
		while (s.n < 256 * 1024)
			buf_add_text(&s, pieces[i]);
		if (strcmp(pieces[i], "[fwd:") == 0)
			while (s.n < 512 * 1024)
				buf_add_char(&s, ']');
		base_subject(buf_span(&s), &out);
	}
	/* a square would take minutes */
	assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
	buf_fini(&s);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
