/* SPDX-License-Identifier: ISC */
#include "master/access_check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "master/table_text.h"

enum { TOLD_MAX = 20 };

/* One table. */
struct checking {
	bool (*is_known)(void *with, struct span word);
	void *with;
	struct buf *warnings;
	size_t wrong; /* so many values */
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
	struct checking *k = with;
	struct span rest = value, word = { 0 };

	(void)span_cut(&rest, ", \t", false, &word);
	if (is_action(word) || is_number(word, span_trim(rest)) ||
	    k->is_known(k->with, word))
		return;
	if (++k->wrong > TOLD_MAX)
		return;
	buf_printf(k->warnings,
	    "%s: line %u: \"%.*s\" %s: who meets it is answered 451\n", path,
	    line, SPAN_ARG(span_take(word, 80)),
	    span_is_nocase(word, "FILTER") ?
		"is not supported yet" :
		"is no action, reply code or restriction (access(5))");
}

/* What table_text_each reads for it. */
static struct span
path_of(struct span spec)
{
	while (span_starts(spec, "proxy:"))
		spec = span_skip(spec, sizeof("proxy:") - 1);
	return span_skip(spec, span_find(spec, ':') + 1);
}

/* True when it was there already. */
static bool
noted(struct access_checked *c, struct span path)
{
	for (size_t i = 0; i < c->count; i++)
		if (span_is(path, c->paths[i]))
			return true;
	c->paths = mem_resize(c->paths, (c->count + 1) * sizeof(*c->paths));
	c->paths[c->count++] = mem_span_text(path);
	return false;
}

void
access_check(struct access_checked *checked, struct span spec,
    bool (*is_known)(void *with, struct span word), void *with,
    struct buf *warnings)
{
	struct checking k = { is_known, with, warnings, 0 };
	struct span path = path_of(spec);

	if (warnings == NULL || noted(checked, path))
		return;
	table_text_each(spec, check_value, &k);
	if (k.wrong > TOLD_MAX)
		buf_printf(warnings, "%.*s: and %zu more of this kind\n",
		    SPAN_ARG(path), k.wrong - TOLD_MAX);
}

void
access_checked_fini(struct access_checked *checked)
{
	for (size_t i = 0; i < checked->count; i++)
		free(checked->paths[i]);
	free(checked->paths);
	*checked = (struct access_checked){ 0 };
}
