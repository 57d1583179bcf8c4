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

static void
copy_setting(void *with, const char *name, const char *raw, const char *origin)
{
	conf_set(with, span_of(name), span_of(raw), origin);
}

/*
 * The settings as a service has them: its own -o count, in what main.cf
 * refers to as well. Kept until another service is asked for.
 */
static struct conf *
settings_of(struct postconf *p, const struct master_row *row)
{
	struct span name, value;

	if (row == NULL)
		return p->conf;
	if (p->scope != NULL && p->scope_row == row)
		return p->scope;
	conf_free(&p->scope);
	p->scope = conf_new(conf_directory(p->conf));
	p->scope_row = row;
	conf_each(p->conf, copy_setting, p->scope);
	for (size_t i = 0; i < row->count; i++)
		if (row_setting(&row->words[i], &name, &value))
			conf_set(p->scope, name, value, "-o option");
	return p->scope;
}

const char *
postconf_expand(struct postconf *p, const char *text,
    const struct master_row *row)
{
	struct buf error = BUF_INIT(4096);
	const char *result;

	if (strchr(text, '$') == NULL)
		return text;
	result = conf_expand(settings_of(p, row), text, &error);
	if (result == NULL) {
		log_warning("%.*s", SPAN_ARG(span_trim(buf_span(&error))));
		fatal_status(1, "macro processing error");
	}
	buf_fini(&error);
	return arena_text(p->arena, result);
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
	if (p->expand && !p->no_value && !postconf_is_template(span_of(name)))
		text = postconf_expand(p, text, NULL);
	return text;
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
		postconf_warn_undefined(p);
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
