/* SPDX-License-Identifier: ISC */
#include "tools/postconf.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/mem.h"
#include "lib/conf/conf_parts.h"
#include "lib/log/log.h"
#include "tools/cf_edit.h"

struct change {
	struct span name;
	struct span value;
	bool done; /* written; further entries of the name are duplicates */
};

struct changes {
	struct change *list;
	size_t count;
	enum cf_action action; /* CF_REPLACE, CF_REMOVE or CF_COMMENT */
};

static struct change *
find(struct changes *c, struct span name)
{
	for (size_t i = 0; i < c->count; i++)
		if (span_equal(c->list[i].name, name))
			return &c->list[i];
	return NULL;
}

static void
assign(const struct change *change, struct buf *out)
{
	buf_add_span(out, change->name);
	buf_add_text(out, change->value.n > 0 ? " = " : " =");
	buf_add_span(out, change->value);
}

static enum cf_action
decide(void *with, struct span line, struct buf *replacement)
{
	struct changes *c = with;
	struct span name, value;
	struct change *change;

	if (conf_split(line, &name, &value) != NULL ||
	    (change = find(c, name)) == NULL)
		return CF_KEEP;
	if (c->action != CF_REPLACE)
		return c->action;
	if (change->done)
		return CF_REMOVE;
	change->done = true;
	assign(change, replacement);
	return CF_REPLACE;
}

static void
finish(void *with, struct buf *out)
{
	struct changes *c = with;

	for (size_t i = 0; c->action == CF_REPLACE && i < c->count; i++) {
		if (c->list[i].done)
			continue;
		assign(&c->list[i], out);
		buf_add_char(out, '\n');
	}
}

static void
add_change(struct postconf *p, struct changes *c, const char *argument)
{
	struct span s = span_of(argument), name = s, value = SPAN("");
	const char *wrong = NULL;
	struct change *old;

	if (span_has_break(s))
		fatal_status(EX_USAGE, "a line end in \"%.80s\"", argument);
	if (!p->remove && !p->comment)
		wrong = conf_split(s, &name, &value);
	else if (span_find(s, '=') < s.n)
		wrong = "-X and -# take names only";
	if (wrong != NULL)
		fatal_status(EX_USAGE, "%s: \"%.80s\"", wrong, argument);
	old = find(c, name);
	if (old != NULL) {
		old->value = value;
		return;
	}
	c->list = mem_resize(c->list, (c->count + 1) * sizeof(*c->list));
	c->list[c->count++] = (struct change){ .name = name, .value = value };
}

void
postconf_edit(struct postconf *p, char **arguments)
{
	struct buf error = BUF_INIT(4096);
	struct changes c = { .action = p->remove ? CF_REMOVE :
		    p->comment                   ? CF_COMMENT :
						   CF_REPLACE };
	const struct cf_edit edit = { .decide = decide,
		.finish = finish,
		.with = &c };
	char *path = mem_printf("%s/main.cf", p->directory);

	for (; *arguments != NULL; arguments++)
		add_change(p, &c, *arguments);
	if (!cf_edit_file(path, &edit, &error))
		fatal_status(EX_CANTCREAT, "%.*s",
		    SPAN_ARG(span_trim(buf_span(&error))));
	buf_fini(&error);
	free(c.list);
	free(path);
}
