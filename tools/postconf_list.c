/* SPDX-License-Identifier: ISC */
#include "tools/postconf.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/conf/conf_parts.h"
#include "lib/log/log.h"

enum { FOLD_COLUMN = 80 };

void
postconf_print(struct postconf *p, const char *name, const char *value)
{
	struct span rest = span_of(value), word;
	size_t column = 0;
	bool first = true;

	if (!p->no_name || p->no_value)
		buf_add_text(&p->out, name);
	if (!p->no_name && !p->no_value) {
		buf_add_text(&p->out, " =");
		column = strlen(name) + 2;
	}
	while (!p->no_value && span_cut(&rest, " \t\r\n", true, &word)) {
		if (p->fold && column > 0 &&
		    column + 1 + word.n > FOLD_COLUMN) {
			buf_add_text(&p->out, "\n    ");
			column = 4;
		} else if (!first || !p->no_name) {
			buf_add_char(&p->out, ' ');
			column++;
		}
		buf_add_span(&p->out, word);
		column += word.n;
		first = false;
	}
	buf_add_char(&p->out, '\n');
}

struct scope {
	struct postconf *p;
	const struct master_row *row;
	unsigned int depth;
};

static bool expand_in(struct scope *s, const char *text, struct buf *out,
    struct buf *error);

/* A name that the service's own -o sets. */
static const char *
resolve(void *with, struct span name)
{
	struct scope *s = with;
	struct buf out = BUF_INIT(CONF_VALUE_MAX), error = BUF_INIT(4096);
	const struct row_word *word = s->row ? row_find(s->row, name) : NULL;
	struct span found, value;
	const char *result = NULL;

	if (word == NULL || !row_setting(word, &found, &value))
		return NULL;
	if (expand_in(s, arena_span(s->p->arena, value), &out, &error))
		result = arena_text(s->p->arena, buf_text(&out));
	else
		result = "";
	buf_fini(&out);
	buf_fini(&error);
	return result;
}

static bool
expand_in(struct scope *s, const char *text, struct buf *out, struct buf *error)
{
	bool ok = false;

	if (s->depth >= CONF_DEPTH_MAX) {
		buf_printf(error, "unreasonable macro call nesting: \"%s\"\n",
		    text);
		return false;
	}
	s->depth++;
	ok = conf_expand_with(s->p->conf, text, resolve, s, out, error);
	s->depth--;
	return ok;
}

const char *
postconf_expand(struct postconf *p, const char *text,
    const struct master_row *row)
{
	struct buf out = BUF_INIT(CONF_VALUE_MAX), error = BUF_INIT(4096);
	struct scope s = { .p = p, .row = row };
	const char *result;

	if (!expand_in(&s, text, &out, &error)) {
		log_warning("%.*s", SPAN_ARG(span_trim(buf_span(&error))));
		fatal_status(1, "macro processing error");
	}
	result = arena_text(p->arena, buf_text(&out));
	buf_fini(&out);
	buf_fini(&error);
	return result;
}

/* As set, or the default. */
static const char *
value_of(struct postconf *p, const char *name)
{
	const char *text = p->defaults ? NULL : conf_raw(p->conf, name);

	if (text == NULL && postconf_read_only(span_of(name)))
		return postconf_expand(p, arena_printf(p->arena, "${%s}", name),
		    NULL);
	if (text == NULL)
		text = conf_fallback(p->conf, name);
	if (text == NULL)
		text = "";
	return p->expand ? postconf_expand(p, text, NULL) : text;
}

static void
list_named(struct postconf *p, char **names)
{
	for (; *names != NULL; names++) {
		unsigned int class = postconf_class(p, span_of(*names));

		if (class == 0 || (p->defaults && class == CLASS_USER))
			/* no failure: scripts ask for what not every release
			 * has */
			log_warning("%s: unknown parameter", *names);
		else if (!p->changed_only || conf_raw(p->conf, *names) != NULL)
			postconf_print(p, *names, value_of(p, *names));
	}
}

void
postconf_list(struct postconf *p, char **names)
{
	bool warn = !p->quiet && !p->defaults;
	const char **all;

	if (warn)
		postconf_warn_undefined(p, true);
	if (*names != NULL) {
		list_named(p, names);
	} else {
		all = postconf_names(p);
		for (const char **name = all; *name != NULL; name++)
			postconf_print(p, *name, value_of(p, *name));
		free(all);
	}
	postconf_flush(p);
	if (warn)
		postconf_warn_unused(p, true);
}
