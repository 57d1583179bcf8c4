/* SPDX-License-Identifier: ISC */
/* The words of reports: as templates (-t), or as they are sent (-b). */
#include "tools/postconf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "bounce/template.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum { FILE_MAX = 1 << 20 };

static const char *const kinds[COMPOSE_KINDS] = { [COMPOSE_FAILURE] = "failure",
	[COMPOSE_DELAY] = "delay",
	[COMPOSE_SUCCESS] = "success",
	[COMPOSE_VERIFY] = "verify" };

/* What we say when the site has no words of its own, as a template. */
static void
add_own(struct buf *out)
{
	for (int kind = 0; kind < COMPOSE_KINDS; kind++) {
		buf_printf(out, "%s_template = <<EOF\n", kinds[kind]);
		compose_template((enum compose_kind)kind, out);
		buf_add_text(out, "EOF\n\n");
	}
}

/* "failure_template = <<EOF": the word that ends it; n 0: another line. */
static struct span
opening(struct span line, const char *kind)
{
	size_t equal = span_find(line, '=');
	char *name = mem_printf("%s_template", kind);
	struct span end = span_trim(span_skip(line, equal + 1));
	bool ours = span_is(span_trim(span_take(line, equal)), name);

	free(name);
	if (!ours || !span_starts(end, "<<"))
		return SPAN("");
	return span_trim(span_skip(end, 2));
}

/* The lines of one kind's template; the last definition counts. */
static bool
find_template(struct span text, const char *kind, struct span *found)
{
	struct span line, end, start;
	bool any = false;

	while (span_cut(&text, "\n", false, &line)) {
		end = opening(line, kind);
		if (end.n == 0)
			continue;
		start = text;
		while (span_cut(&text, "\n", false, &line) &&
		    !span_equal(span_trim(line), end))
			continue;
		*found = (struct span){ start.p, (size_t)(line.p - start.p) };
		any = true;
	}
	return any;
}

static void
put(struct postconf *p, const char *kind, struct span text, bool first)
{
	buf_printf(&p->out, "%s%s_template = <<EOF\n", first ? "" : "\n", kind);
	buf_add_span(&p->out, text);
	buf_add_text(&p->out, "EOF\n");
}

/* $name is expanded by what the bounce program expands it with. */
static void
put_expanded(struct postconf *p, const char *kind, const char *text, bool first)
{
	buf_printf(&p->out, "%sexpanded_%s_text = <<EOF\n", first ? "" : "\n",
	    kind);
	for (; *text != '\0'; text++)
		if (*text != '\r')
			buf_add_char(&p->out, *text);
	buf_add_text(&p->out, "EOF\n");
}

static void
read_file(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1 || fd_read_whole(fd, text) == -1)
		fatal_status(1, "open %s: %s", path, strerror(errno));
	fd_close(&fd);
}

static void
parse(struct postconf *p, const char *path, struct span text,
    struct compose_words *words)
{
	struct buf error = BUF_INIT(4096);

	if (!template_parse(text, p->conf, arena_new(), words, &error))
		fatal_status(1, "%s: %s", path, buf_text(&error));
	buf_fini(&error);
}

void
postconf_bounce(struct postconf *p, bool expand, const char *file)
{
	struct buf own = BUF_INIT(FILE_MAX), text = BUF_INIT(FILE_MAX);
	struct compose_words words[COMPOSE_KINDS] = { 0 };
	const char *path =
	    file ? file : conf_value(p->conf, "bounce_template_file");

	add_own(&own);
	if (path != NULL && path[0] != '\0')
		read_file(path, &text);
	parse(p, "built-in templates", buf_span(&own), words);
	parse(p, path, buf_span(&text), words);
	for (int kind = 0; kind < COMPOSE_KINDS; kind++) {
		struct span found;

		if (!find_template(buf_span(&text), kinds[kind], &found) &&
		    !find_template(buf_span(&own), kinds[kind], &found))
			continue;
		if (expand)
			put_expanded(p, kinds[kind], words[kind].text,
			    kind == 0);
		else
			put(p, kinds[kind], found, kind == 0);
	}
	buf_fini(&own);
	buf_fini(&text);
}
