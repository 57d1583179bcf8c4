/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "local/destinations.h"

/* Kinds as letters: A address, D direct, C command, F file, I include. */
static const struct {
	const char *text;
	const char *wanted; /* "K:text K:text ..." with | between */
} rows[] = {
	{ "", "" },
	{ "  # nothing\n\n", "" },
	{ "joe", "A:joe" },
	{ "joe, bob@example.com,,\n carol", "A:joe|A:bob@example.com|A:carol" },
	{ "Joe Blow <joe@example.com>", "A:joe@example.com" },
	{ "joe@example.com (Blow, Joe), x", "A:joe@example.com|A:x" },
	{ "\"joe blow\"@example.com", "A:joe blow@example.com" },
	{ "\\joe, bob", "D:joe|A:bob" },
	{ "\"\\\\joe\"", "D:joe" },
	{ "|/bin/cmd a b, joe", "C:/bin/cmd a b|A:joe" },
	{ "\"|/bin/cmd a, b \\\"c\\\"\"", "C:/bin/cmd a, b \"c\"" },
	{ "\"| exec /bin/x || exit 75\"", "C:exec /bin/x || exit 75" },
	{ "/var/mail/x", "F:/var/mail/x" },
	{ "\"/var/mail/a, b/\"", "F:/var/mail/a, b/" },
	{ ":include:/etc/list", "I:/etc/list" },
	{ ":INCLUDE: /etc/list", "I:/etc/list" },
	{ "\":include:/etc/list\"", "I:/etc/list" },
	{ ":include:relative", "B::include:relative" },
	{ "|", "B:|" },
	{ "\\", "B:\\" },
	{ "\"open quote, x\njoe", "B:\"open quote, x|A:joe" },
	{ "<a@b> <c@d>", "B:<a@b> <c@d>" },
	{ "a@b\r\nc@d\r\n", "A:a@b|A:c@d" },
	{ "a # b\n#c\nd", "A:a|A:d" },
	{ "a@x b@y,c\nd", "A:a@x|A:b@y|A:c|A:d" },
	{ "a @ x, b@ y c", "A:a@x|B:b@ y c" },
};

static void
test_lists(void **state)
{
	static const char letters[] = "ADCFIB";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf all = BUF_INIT(4096), one = BUF_INIT(4096);
		struct span rest = span_of(rows[i].text);
		enum destination_kind kind;

		while (destinations_next(&rest, &kind, &one))
			buf_printf(&all, "%s%c:%s", all.n ? "|" : "",
			    letters[kind], buf_text(&one));
		if (strcmp(buf_text(&all), rows[i].wanted) != 0)
			fail_msg("%s gave %s, not %s", rows[i].text,
			    buf_text(&all), rows[i].wanted);
		buf_fini(&all);
		buf_fini(&one);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
