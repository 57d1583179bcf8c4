/* SPDX-License-Identifier: ISC */
/*
 * A match list as mynetworks or mydestination may be, a NUL, a name, a NUL and
 * an address. Tables and files are those of other fuzzers. A list with "!"
 * before each of its words matches nothing.
 */
#include "lib/table/table.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No word of it is a file's or a table's name. */
static bool
is_plain(struct span list)
{
	struct span word;

	while (words_next(&list, &word)) {
		while (word.n > 0 && word.p[0] == '!')
			word = span_skip(word, 1);
		if (word.n > 0 && word.p[0] == '/')
			return false;
		if (table_type_known(span_take(word, span_find(word, ':'))))
			return false;
	}
	return true;
}

static struct span
cut(struct span *rest)
{
	struct span s = span_take(*rest, span_find(*rest, '\0'));

	*rest = span_skip(*rest, s.n + 1);
	return s;
}

/* The list with a "!" more at each word, which turns it round. */
static void
negate(struct span list, struct buf *out)
{
	struct span word;

	while (words_next(&list, &word)) {
		bool negated = word.p[0] == '!';

		buf_add_char(out, ' ');
		if (!negated)
			buf_add_char(out, '!');
		while (negated && word.n > 0 && word.p[0] == '!')
			word = span_skip(word, 1);
		if (negated)
			buf_add_char(out, '!');
		buf_add_span(out, word);
	}
}

static void
check(const char *text, enum match_kind kind, struct span name,
    struct span address, bool never)
{
	struct buf why = BUF_INIT(1 << 16);
	struct match_list *l = match_list_open(text, kind, &why);
	enum table_result r;

	/* it is one, or it says why not */
	ensure(l != NULL || why.n > 0);
	if (l != NULL) {
		r = kind == MATCH_HOST ?
		    match_list_match_host(l, name, address, &why) :
		    match_list_match(l, name, &why);
		ensure(r == TABLE_NONE || (r == TABLE_FOUND && !never));
	}
	match_list_free(&l);
	buf_fini(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum match_kind kinds[] = { MATCH_TEXT, MATCH_DOMAIN,
		MATCH_DOMAIN_PARENTS, MATCH_HOST };
	struct span rest = { (const char *)data, size };
	struct span list = cut(&rest);
	struct span name = cut(&rest);
	struct span address = cut(&rest);
	struct buf negated = BUF_INIT(1 << 20);
	char *text;

	log_threshold(LEVEL_PANIC);
	if (!is_plain(list))
		return 0;
	text = mem_span_text(list);
	negate(list, &negated);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		check(text, kinds[i], name, address, false);
		check(buf_text(&negated), kinds[i], name, address, true);
	}
	free(text);
	buf_fini(&negated);
	return 0;
}
