/* SPDX-License-Identifier: ISC */
/* main.cf and master.cf, read as postconf(1) wants them. */
#include "tools/postconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/conf/conf_parts.h"
#include "lib/conf/logical_lines.h"
#include "lib/log/log.h"

/*
 * "main.cf: line 3: what is wrong", as postconf says it: a misplaced line
 * without a number, the rest with the folder in front.
 */
static void
complain(const struct postconf *p, struct span line, bool fatal_ones)
{
	static const char number[] = ": line ";
	size_t at = span_find(line, ':');
	struct span file = span_take(line, at), rest = span_skip(line, at);

	if (!span_starts(rest, number)) {
		log_warning("%s/%.*s", p->directory, SPAN_ARG(line));
		return;
	}
	rest = span_skip(rest, sizeof(number) - 1);
	at = span_find(rest, ':');
	if (span_starts(span_skip(rest, at), ": logical line "))
		log_warning("%s/%.*s%.*s", p->directory, SPAN_ARG(file),
		    SPAN_ARG(span_skip(rest, at)));
	else if (fatal_ones)
		fatal_status(1, "%s/%.*s, line %.*s", p->directory,
		    SPAN_ARG(file), SPAN_ARG(rest));
	else
		log_warning("%s/%.*s, line %.*s", p->directory, SPAN_ARG(file),
		    SPAN_ARG(rest));
}

static void
complain_all(const struct postconf *p, const struct buf *lines, bool fatal_ones)
{
	struct span rest = buf_span(lines), line;

	while (span_cut(&rest, "\n", true, &line))
		complain(p, line, fatal_ones);
}

/* The directory is a setting when it is not the usual one. */
static void
name_directory(struct postconf *p)
{
	if (strcmp(p->directory, CONFIG_DIRECTORY) == 0)
		return;
	if (conf_raw(p->conf, "config_directory") == NULL)
		conf_set(p->conf, SPAN("config_directory"),
		    span_of(p->directory), "-c option");
	else
		complain(p,
		    span_of(arena_printf(p->arena,
			"%s: overriding earlier entry: config_directory=%s",
			conf_origin(p->conf, "config_directory"),
			p->directory)),
		    false);
}

static void
override(struct postconf *p, char **assignments, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct span name, value;
		const char *wrong =
		    conf_split(span_of(assignments[i]), &name, &value);

		if (wrong != NULL)
			fatal_status(1, "invalid parameter override: %s: %s",
			    assignments[i], wrong);
		conf_set(p->conf, name, value, "-o option");
	}
}

static void
open_or_die(const char *path)
{
	if (access(path, R_OK) != 0)
		fatal_status(1, "open %s: %s", path, strerror(errno));
}

void
postconf_load(struct postconf *p, char **overrides, size_t count)
{
	struct buf errors = BUF_INIT(16 << 20), warnings = BUF_INIT(16 << 20);
	char *path = mem_printf("%s/main.cf", p->directory);

	if (p->defaults) {
		p->conf = conf_new(CONFIG_DIRECTORY);
	} else {
		open_or_die(path);
		p->conf = conf_read(p->directory, &errors, &warnings);
		if (p->conf == NULL)
			fatal_status(1, "%.*s",
			    SPAN_ARG(span_trim(buf_span(&errors))));
		complain_all(p, &warnings, false);
		complain_all(p, &errors, true);
		name_directory(p);
	}
	override(p, overrides, count);
	buf_fini(&errors);
	buf_fini(&warnings);
	free(path);
}

static void
add_rows(struct postconf *p, struct span text)
{
	struct buf errors = BUF_INIT(16 << 20), wrong = BUF_INIT(1 << 20);
	struct buf warnings = BUF_INIT(16 << 20);
	struct master_row **end = &p->rows;
	struct logical_lines lines;
	struct span line, rest;

	logical_lines_init(&lines, text, "master.cf");
	while (logical_lines_next(&lines, &line, &errors)) {
		*end = row_parse(p->arena, line, &wrong, &warnings);
		if (*end == NULL && span_starts(buf_span(&wrong), "bad"))
			fatal_status(1, "file %s/master.cf: line %d: %s",
			    p->directory, lines.number, buf_text(&wrong));
		if (*end == NULL)
			fatal_status(1, "%s", buf_text(&wrong));
		end = &(*end)->next;
	}
	complain_all(p, &errors, true);
	rest = buf_span(&warnings);
	while (span_cut(&rest, "\n", true, &line))
		log_warning("%.*s", SPAN_ARG(line));
	logical_lines_fini(&lines);
	buf_fini(&errors);
	buf_fini(&wrong);
	buf_fini(&warnings);
}

void
postconf_load_rows(struct postconf *p, bool needed)
{
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX), error = BUF_INIT(4096);
	char *path = mem_printf("%s/master.cf", p->directory);

	if (needed)
		open_or_die(path);
	if (access(path, R_OK) != 0)
		log_warning("open %s: %s", path, strerror(errno));
	else if (!logical_file_read(path, &text, &error))
		fatal_status(1, "%.*s", SPAN_ARG(span_trim(buf_span(&error))));
	add_rows(p, buf_span(&text));
	buf_fini(&text);
	buf_fini(&error);
	free(path);
}

void
postconf_init(struct postconf *p)
{
	*p = (struct postconf){ .classes = CLASS_ALL };
	p->arena = arena_new();
	buf_init(&p->out, 256 << 20);
}

void
postconf_fini(struct postconf *p)
{
	postconf_names_fini(p);
	arena_free(&p->arena);
	conf_free(&p->conf);
	conf_free(&p->scope);
	buf_fini(&p->out);
}

void
postconf_flush(struct postconf *p)
{
	if (p->out.overflow ||
	    fd_write_all(STDOUT_FILENO, p->out.p, p->out.n) != 0)
		fatal_status(1, "standard output: write error");
	buf_reset(&p->out);
}
