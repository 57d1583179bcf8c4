/* SPDX-License-Identifier: ISC */
#include "tools/postconf_manual.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/conf/conf_parts.h"
#include "tools/settings_manual.h"

enum { WIDTH = 78 };

static int
by_name(const void *a, const void *b)
{
	const struct param *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Every setting, in order; NULL at the end. */
static const struct param **
sorted(void)
{
	const struct param **all = NULL;
	size_t n = 0;

	for (const struct param_group *const *g = param_groups; *g; g++)
		for (size_t i = 0; i < (*g)->count; i++) {
			all = mem_resize(all, (n + 2) * sizeof(*all));
			all[n++] = &(*g)->params[i];
		}
	qsort(all, n, sizeof(*all), by_name);
	all[n] = NULL;
	return all;
}

/* The default, in main.cf's syntax; what the system says is said so. */
static const char *
fallback_of(const struct param *p, struct conf *c, bool *found_out)
{
	*found_out = p->fallback[0] == '\0' && conf_compute(c, p->name) != NULL;
	return p->fallback;
}

/* Words on lines of their own, each behind "# ". */
static void
put_comment(struct buf *out, const char *text)
{
	struct span rest = span_of(text), word;
	size_t column = 0;

	while (span_cut(&rest, " \n", true, &word)) {
		if (column == 0 || column + 1 + word.n > WIDTH) {
			buf_add_text(out, column == 0 ? "#" : "\n#");
			column = 1;
		}
		buf_printf(out, " %.*s", SPAN_ARG(word));
		column += 1 + word.n;
	}
	buf_add_char(out, '\n');
}

static void
put_sample(struct buf *out)
{
	const struct param **all = sorted();
	struct conf *c = conf_new("/");
	bool found_out;

	put_comment(out,
	    "Every setting with its default. Take the # off a line to "
	    "change it; postconf -n then shows what differs.");
	for (const struct param **p = all; *p != NULL; p++) {
		const char *fallback = fallback_of(*p, c, &found_out);

		buf_add_char(out, '\n');
		put_comment(out, (*p)->meaning);
		if (found_out)
			put_comment(out, "The default is found out.");
		buf_printf(out, "#%s =%s%s\n", (*p)->name,
		    fallback[0] != '\0' ? " " : "", fallback);
	}
	conf_free(&c);
	free(all);
}

static void
put_html_text(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '<')
			buf_add_text(out, "&lt;");
		else if (*text == '>')
			buf_add_text(out, "&gt;");
		else if (*text == '&')
			buf_add_text(out, "&amp;");
		else
			buf_add_char(out, *text);
	}
}

static void
put_html_setting(struct buf *out, struct conf *c, const struct param *p)
{
	bool found_out;
	const char *fallback = fallback_of(p, c, &found_out);

	buf_printf(out, "<dt id=\"%s\"><code>%s", p->name, p->name);
	if (!found_out) {
		buf_add_text(out, " = ");
		put_html_text(out, fallback);
	}
	buf_printf(out, "</code>%s</dt>\n<dd>",
	    found_out ? " (found out)" : "");
	put_html_text(out, p->meaning);
	buf_add_text(out, "</dd>\n");
}

static void
put_html(struct buf *out)
{
	const struct param **all = sorted();
	struct conf *c = conf_new("/");

	buf_add_text(out,
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<title>main.cf</title>\n</head>\n"
	    "<body>\n<h1>Settings of main.cf</h1>\n<dl>\n");
	for (const struct param **p = all; *p != NULL; p++)
		put_html_setting(out, c, *p);
	buf_add_text(out, "</dl>\n</body>\n</html>\n");
	conf_free(&c);
	free(all);
}

void
postconf_manual(enum postconf_manual what, struct buf *out)
{
	if (what == POSTCONF_MANUAL)
		settings_manual();
	else if (what == POSTCONF_HTML)
		put_html(out);
	else
		put_sample(out);
}
