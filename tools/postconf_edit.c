/* SPDX-License-Identifier: ISC */
#include "tools/postconf.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/conf/conf_parts.h"
#include "lib/log/log.h"
#include "tools/cf_edit.h"

struct change {
	struct span name;
	struct span value;
	unsigned int done; /* how many entries of the name there were */
};

struct changes {
	struct change *list;
	size_t count;
	enum cf_action action; /* CF_REPLACE, CF_REMOVE or CF_COMMENT */
	const char *path;
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
	buf_printf(out, "%.*s = %.*s", SPAN_ARG(change->name),
	    SPAN_ARG(change->value));
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
	if (++change->done == 2)
		log_warning("%s: multiple entries for \"%.*s\"", c->path,
		    SPAN_ARG(name));
	if (c->action == CF_REPLACE)
		assign(change, replacement);
	return c->action;
}

static void
finish(void *with, struct buf *out)
{
	struct changes *c = with;

	for (size_t i = 0; c->action == CF_REPLACE && i < c->count; i++) {
		if (c->list[i].done > 0)
			continue;
		assign(&c->list[i], out);
		buf_add_char(out, '\n');
	}
}

static void
add_change(struct postconf *p, struct changes *c, const char *argument)
{
	struct span s = span_of(argument), name = span_trim(s), value = { 0 };
	const char *wrong = NULL;
	struct change *old;

	if (span_has_break(s))
		fatal_status(1, "-e, -X, or -# accepts no multi-line input");
	if (name.n > 0 && name.p[0] == '#')
		fatal_status(1, "-e, -X, or -# accepts no comment input");
	if (p->edit)
		wrong = conf_split(s, &name, &value);
	else if (name.n == 0)
		fatal_status(1, "-X or -# requires non-blank parameter names");
	if (wrong != NULL)
		fatal_status(1, "%s: \"%s\"", wrong, argument);
	old = find(c, name);
	if (old != NULL && p->edit)
		log_warning("ignoring earlier request: '%.*s = %.*s'",
		    SPAN_ARG(old->name), SPAN_ARG(old->value));
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
	char *path = mem_printf("%s/main.cf", p->directory);
	struct changes c = { .path = path,
		.action = p->remove ? CF_REMOVE :
		    p->comment      ? CF_COMMENT :
				      CF_REPLACE };
	const struct cf_edit edit = { .decide = decide,
		.finish = finish,
		.with = &c };

	for (; *arguments != NULL; arguments++)
		add_change(p, &c, *arguments);
	if (!cf_edit_file(path, &edit, &error))
		fatal_status(1, "%.*s", SPAN_ARG(span_trim(buf_span(&error))));
	buf_fini(&error);
	free(c.list);
	free(path);
}
