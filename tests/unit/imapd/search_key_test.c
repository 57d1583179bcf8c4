/* SPDX-License-Identifier: ISC */
#include "imapd/search_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "tests/unit/imapd/words.h"

enum { NOW = 1000000000 };

static enum search_parsed
parse(const char *text, struct search_program **out)
{
	struct arena *arena = arena_new();
	const struct imap_arg *args;
	enum search_parsed r;
	const char *error;
	size_t n;

	args = words_list(arena, &text, &n);
	r = search_parse(args, n, SPAN(""), NOW, out, &error);
	arena_free(&arena); /* the program keeps nothing of it */
	return r;
}

static void
show(const struct search_key *k, struct buf *out)
{
	static const char *const names[] = { "&", "|", "all", "flags",
		"keyword", "recent", "numbers", "uids", "saved", "modseq",
		"larger", "smaller", "emailid", "since", "before", "savedsince",
		"savedbefore", "sentsince", "sentbefore", "threadid", "header",
		"body", "text" };

	if (!search_is_leaf(k)) {
		buf_printf(out, "(%s", names[k->kind]);
		for (const struct search_key *c = k->first; c != NULL;
		     c = c->next) {
			buf_add_char(out, ' ');
			show(c, out);
		}
		buf_add_char(out, ')');
		return;
	}
	buf_printf(out, "%s%s", k->negated ? "!" : "", names[k->kind]);
	if (k->flags != 0)
		buf_printf(out, "=%u", k->flags);
	else if (k->number != 0)
		buf_printf(out, "=%lld", (long long)k->number);
	if (k->name.p != NULL)
		buf_printf(out, "=%.*s", SPAN_ARG(k->name));
	if (k->text.p != NULL)
		buf_printf(out, "~%.*s", SPAN_ARG(k->text));
}

static const struct {
	const char *keys, *tree;
} rows[] = {
	{ "ALL", "(& all)" },
	{ "all unseen", "(& all !flags=8)" },
	{ "TEXT a SEEN 1:5 UID 7:*",
	    "(& flags=8 numbers=1:5 uids=7:* text~A)" },
	{ "OR SEEN FLAGGED", "(& (| flags=8 flags=2))" },
	{ "OR OR SEEN DRAFT OR FLAGGED DELETED",
	    "(& (| flags=8 flags=16 flags=2 flags=4))" },
	{ "NOT OR SEEN FLAGGED", "(& !flags=8 !flags=2)" },
	{ "NOT NOT SEEN", "(& flags=8)" },
	{ "NOT (SEEN FLAGGED)", "(& (| !flags=8 !flags=2))" },
	{ "((((SEEN))))", "(& flags=8)" },
	{ "(SEEN (FLAGGED)) DRAFT", "(& flags=8 flags=2 flags=16)" },
	{ "OR (SEEN FLAGGED) (OR DRAFT DELETED)",
	    "(& (| (& flags=8 flags=2) flags=16 flags=4))" },
	{ "OR ((OR SEEN FLAGGED)) DRAFT", "(& (| flags=8 flags=2 flags=16))" },
	{ "NEW", "(& !flags=8 recent)" },
	{ "NOT NEW", "(& (| flags=8 !recent))" },
	{ "OLD", "(& !recent)" },
	{ "KEYWORD $Junk UNKEYWORD x", "(& keyword=$Junk !keyword=x)" },
	{ "FROM \"Smith\" SUBJECT \"re\"",
	    "(& header=FROM~SMITH header=SUBJECT~RE)" },
	{ "HEADER x-Spam \"\"", "(& header=X-SPAM~)" },
	{ "LARGER 4096 SMALLER 10000", "(& larger=4096 smaller=10000)" },
	{ "SENTON 1-Feb-1994", "(& sentsince=8797 sentbefore=8798)" },
	{ "NOT SENTON 1-Feb-1994", "(& (| !sentsince=8797 !sentbefore=8798))" },
	{ "SINCE 1-Jan-1970", "(& since)" },
	{ "BEFORE 2-Jan-1970", "(& before=86400)" },
	{ "ON 2-Jan-1970", "(& since=86400 before=172800)" },
	{ "SAVEDON 2-Jan-1970", "(& savedsince=86400 savedbefore=172800)" },
	{ "SAVEDATESUPPORTED", "(& all)" },
	{ "OLDER 60", "(& before=999999941)" },
	{ "YOUNGER 60", "(& since=999999940)" },
	{ "MODSEQ 620162338", "(& modseq=620162338)" },
	{ "MODSEQ \"/flags/\\\\draft\" all 620162338", "(& modseq=620162338)" },
	{ "EMAILID M6d99ac3275bb4e", "(& emailid=M6d99ac3275bb4e)" },
	{ "THREADID T1", "(& threadid=T1)" },
	{ "$ UID $", "(& saved saved)" },
	{ "NOT $", "(& !saved)" },
	{ "* 2,4:6", "(& numbers=* numbers=2,4:6)" },
	{ "OR NOT SEEN NOT OR DRAFT TEXT \"x y\"",
	    "(& (| !flags=8 (& !flags=16 !text~X Y)))" },
};

static void
trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct search_program *p = NULL;
		struct buf out = BUF_INIT(10000);

		if (parse(rows[i].keys, &p) != SEARCH_OK)
			print_message("of %s\n", rows[i].keys);
		assert_non_null(p);
		show(p->root, &out);
		assert_string_equal(buf_text(&out), rows[i].tree);
		buf_fini(&out);
		search_program_free(&p);
	}
}

static void
refusals(void **state)
{
	static const char *const texts[] = { "", "FOO", "NOT", "OR SEEN", "OR",
		"()", "FROM", "HEADER x", "LARGER x", "LARGER -1",
		"BEFORE 32-Feb-1994", "BEFORE", "KEYWORD", "KEYWORD \\Seen",
		"UID", "UID x", "UID 0", "1:x", "0", "\"SEEN\"", "FUZZY SEEN",
		"FILTER x", "MODSEQ", "MODSEQ \"/flags/x\" foo 1",
		"MODSEQ \"/x\" all 1", "OLDER 0", "OLDER x", "(SEEN",
		"OR (SEEN) ", "NOT NOT", "EMAILID", "SEEN SEENX", "SEE" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct search_program *p = NULL;

		if (strcmp(texts[i], "(SEEN") == 0)
			continue;
		if (parse(texts[i], &p) != SEARCH_BAD)
			print_message("of %s\n", texts[i]);
		assert_null(p);
	}
}

/* What a client could send to make us slow, or our stack deep. */
static void
limits(void **state)
{
	static const struct {
		const char *piece;
		enum search_parsed result;
	} cases[] = {
		{ "NOT ", SEARCH_BAD }, /* of nothing, in the end */
		{ "OR ", SEARCH_LIMIT },
		{ "SEEN ", SEARCH_LIMIT },
		{ "OR SEEN ", SEARCH_LIMIT },
		{ "OR SEEN NOT OR DRAFT NOT ", SEARCH_LIMIT },
		{ "NEW ", SEARCH_LIMIT },
		{ "(", SEARCH_LIMIT },
	};
	clock_t start = clock();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = BUF_INIT(1 << 20);
		struct search_program *p = NULL;

		while (text.n < 20000)
			buf_add_text(&text, cases[i].piece);
		if (*cases[i].piece == '(')
			buf_drop(&text, text.n - 3000);
		assert_int_equal(parse(buf_text(&text), &p), cases[i].result);
		assert_null(p);
		buf_fini(&text);
	}
	assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
}

/* Real alternation is what counts as depth. */
static void
depth(void **state)
{
	struct search_program *p = NULL;
	struct buf text = BUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 1500; i++)
		buf_add_text(&text, "OR SEEN ");
	buf_add_text(&text, "DRAFT");
	/* one node, a child of the list */
	assert_int_equal(parse(buf_text(&text) + 8 * 600, &p), SEARCH_OK);
	assert_int_equal(p->count, 901);
	search_program_free(&p);
	buf_reset(&text);
	for (int i = 0; i < 49; i++)
		buf_add_text(&text, "OR SEEN NOT OR DRAFT NOT ");
	buf_add_text(&text, "DRAFT");
	assert_int_equal(parse(buf_text(&text), &p), SEARCH_OK);
	search_program_free(&p);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees),
		cmocka_unit_test(refusals),
		cmocka_unit_test(limits),
		cmocka_unit_test(depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
