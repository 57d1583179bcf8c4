/* SPDX-License-Identifier: ISC */
#include "master/access_check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "master/table_text.h"

struct checking {
	bool (*is_known)(void *with, struct span word);
	void *with;
	struct buf *warnings;
};

static bool
is_action(struct span word)
{
	static const char *const names[] = {
#define ACTION(name, function) #name,
#include "smtpd/access_actions.def"
#undef ACTION
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is_nocase(word, names[i]))
			return true;
	return false;
}

/* A reply code, or the number of a program that relies on it: OK. */
static bool
is_number(struct span word, struct span rest)
{
	uint64_t n;

	if (!span_u64(word, UINT32_MAX, &n))
		return false;
	return rest.n == 0 || (word.n == 3 && n >= 400 && n <= 599);
}

static void
check_value(void *with, const char *path, unsigned int line, struct span value)
{
	const struct checking *k = with;
	struct span rest = value, word = { 0 };
	char *text;

	(void)span_cut(&rest, ", \t", false, &word);
	if (is_action(word) || is_number(word, span_trim(rest)) ||
	    k->is_known(k->with, word))
		return;
	text = mem_printf("%s: line %u: \"%.*s\" %s: who meets it is answered "
			  "451\n",
	    path, line, SPAN_ARG(span_take(word, 80)),
	    span_is_nocase(word, "FILTER") ?
		"is not supported yet" :
		"is no action, reply code or restriction (access(5))");
	if (memmem(k->warnings->p, k->warnings->n, text, strlen(text)) == NULL)
		buf_add_text(k->warnings, text);
	free(text);
}

void
access_check(struct span spec, bool (*is_known)(void *with, struct span word),
    void *with, struct buf *warnings)
{
	struct checking k = { is_known, with, warnings };

	if (warnings != NULL)
		table_text_each(spec, check_value, &k);
}
