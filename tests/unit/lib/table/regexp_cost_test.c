/* SPDX-License-Identifier: ISC */
#include "lib/table/regexp_cost.h"

#include <malloc.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/buf.h"

enum { MB = 1 << 20, PATTERN_MAX = 4 * MB };

/* front, count times part, back */
static const struct {
	const char *front, *part, *back;
	unsigned int count;
	enum regexp_cost cost;
} rows[] = {
	{ "", "a", "", 100000, REGEXP_FITS },
	{ "^.{20001,}$", "", "", 0, REGEXP_FITS },
	{ "^(x", "|domain0123\\.example", ")$", 1300, REGEXP_FITS },
	{ "^(x", "|domain0123\\.example", ")$", 10000, REGEXP_LARGE },
	{ "(x", "|[^[:space:]]+\\.example$", ")", 500, REGEXP_FITS },
	{ "", "[a-z0-9]+", "", 5000, REGEXP_FITS },
	{ ".{0,3000}", "", "", 0, REGEXP_FITS },
	{ "(x{255}){255}", "", "", 0, REGEXP_FITS },
	{ "((x{255}){255}){255}", "", "", 0, REGEXP_LARGE },
	{ "x{255}{255}", "", "", 0, REGEXP_FITS },
	{ "x{255}{255}{20}", "", "", 0, REGEXP_FITS },
	{ "x{255}{255}{60}", "", "", 0, REGEXP_LARGE },
	{ "x{200}{3,100}{1,}{0,5}", "", "", 0, REGEXP_FITS },
	{ "x{3}*{255}+{255}?{60}", "", "", 0, REGEXP_LARGE },
	{ "(x{255}){255}{60}", "", "", 0, REGEXP_LARGE },
	{ "[x]{255}{255}{60}", "", "", 0, REGEXP_LARGE },
	{ "", "(a|b|c)*", "", 800, REGEXP_FITS },
	{ "", "(a?)", "", 1000, REGEXP_FITS },
	{ "((((((((((((((a)+)+)+)+)+)+)+)+)+)+)+)+)+)+", "", "", 0,
	    REGEXP_FITS },
	{ "", "(", "", 100, REGEXP_FITS },
	{ "", "(", "", 101, REGEXP_DEEP },
	{ "", "(^|b)", "", 40, REGEXP_FITS },
	{ "", "\\b.*", "", 20, REGEXP_FITS },
	{ "", "\\b.*", "", 21, REGEXP_SLOW },
	{ "", "\\bx.*", "", 2000, REGEXP_FITS },
	{ "", "(^$)*", "", 6, REGEXP_SLOW },
	{ "[[=]=][]((x{255}){255}){255}", "", "", 0, REGEXP_LARGE },
	{ "[[.].][]((x{255}){255}){255}", "", "", 0, REGEXP_LARGE },
	{ "[[:x:][]((x{255}){255}){255}", "", "", 0, REGEXP_LARGE },
	{ "[^][]((x{255}){255}){255}", "", "", 0, REGEXP_LARGE },
	{ "[((x{255}){255}){255}]", "", "", 0, REGEXP_FITS },
	{ "[[=]=((x{255}){255}){255}", "", "", 0, REGEXP_FITS },
};

static double
used(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)(m.uordblks + m.hblkhd);
}

/* Chains of anchors take some MB that the estimate does not know of. */
static void
compare(const char *pattern, double estimate)
{
	double before = used(), taken;
	regex_t compiled;

	if (regcomp(&compiled, pattern, REG_EXTENDED) != 0)
		return;
	taken = used() - before;
	regfree(&compiled);
	if ((taken > 32.0 * MB && estimate < taken * 0.8) ||
	    (taken > MB && estimate > taken * 5))
		fail_msg("%.60s: estimate %.0f, taken %.0f", pattern, estimate,
		    taken);
}

static void
estimates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf pattern = BUF_INIT(PATTERN_MAX);
		enum regexp_cost cost;
		double bytes;

		buf_add_text(&pattern, rows[i].front);
		for (unsigned int n = 0; n < rows[i].count; n++)
			buf_add_text(&pattern, rows[i].part);
		buf_add_text(&pattern, rows[i].back);
		cost = regexp_cost(buf_span(&pattern), true, &bytes);
		if (cost != rows[i].cost)
			fail_msg("%.60s: %d", buf_text(&pattern), (int)cost);
		if (cost == REGEXP_FITS && rows[i].count < 10000)
			compare(buf_text(&pattern), bytes);
		buf_fini(&pattern);
	}
}

static void
basic_patterns(void **state)
{
	(void)state;
	assert_int_equal(regexp_cost(SPAN("((x{255}){255}){255}"), false, NULL),
	    REGEXP_FITS);
	assert_int_equal(regexp_cost(SPAN("\\(\\(x\\{255\\}\\)\\{255\\}\\)\\{"
					  "255\\}"),
			     false, NULL),
	    REGEXP_LARGE);
	assert_int_equal(regexp_cost(SPAN("x\\{255\\}\\{255\\}\\{60\\}"), false,
			     NULL),
	    REGEXP_LARGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(estimates),
		cmocka_unit_test(basic_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
