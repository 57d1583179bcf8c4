/* SPDX-License-Identifier: ISC */
/*
 * master.cf as it is written: entries (-M), their eight fields (-F) and
 * their -o settings (-P), printed and changed. Lines that are not entries
 * stay as they are.
 */
#include "tools/postconf.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "lib/base/mem.h"
#include "lib/conf/logical_lines.h"
#include "lib/conf/master_cf.h"
#include "lib/log/log.h"
#include "tools/cf_edit.h"

enum { FIELDS = 8, FIELD_COMMAND = 7, WORDS_MAX = 4096 };

static const char *const field_names[FIELDS] = { "service", "type", "private",
	"unprivileged", "chroot", "wakeup", "process_limit", "command" };

/* One entry taken apart; words are as written, braces included. */
struct row {
	struct span field[FIELDS];
	struct span words[WORDS_MAX]; /* behind the command's name */
	size_t count;
};

static bool
take_word(struct span *rest, struct span *word)
{
	struct span s = span_trim(*rest);
	size_t n = 0, level = 0;

	for (; n < s.n; n++) {
		if (s.p[n] == '{' && (level > 0 || n == 0))
			level++;
		else if (s.p[n] == '}' && level > 0 && --level == 0) {
			n++;
			break;
		} else if (level == 0 && isspace((unsigned char)s.p[n]))
			break;
	}
	*word = span_take(s, n);
	*rest = span_skip(s, n);
	return n > 0;
}

static bool
split_row(struct span line, struct row *r)
{
	r->count = 0;
	for (int i = 0; i < FIELDS; i++)
		if (!take_word(&line, &r->field[i]))
			return false;
	while (r->count < WORDS_MAX && take_word(&line, &r->words[r->count]))
		r->count++;
	return true;
}

/* An "-o name=value" at word i: its two parts; how many words it takes. */
static size_t
override_at(const struct row *r, size_t i, struct span *name,
    struct span *value)
{
	struct span text;
	size_t used, at;

	if (span_is(r->words[i], "-o") && i + 1 < r->count) {
		text = r->words[i + 1];
		used = 2;
	} else if (r->words[i].n > 2 && span_starts(r->words[i], "-o")) {
		text = span_skip(r->words[i], 2);
		used = 1;
	} else {
		return 0;
	}
	if (text.n >= 2 && text.p[0] == '{')
		text = (struct span){ text.p + 1, text.n - 2 };
	at = span_find(text, '=');
	*name = span_trim(span_take(text, at));
	*value = span_trim(span_skip(text, at + 1));
	return used;
}

static void
put_row(const struct row *r, bool fold, struct buf *out)
{
	struct span name, value;
	size_t i = 0, used;

	buf_printf(out, "%-10.*s %-5.*s", SPAN_ARG(r->field[0]),
	    SPAN_ARG(r->field[1]));
	for (int f = 2; f < FIELD_COMMAND; f++)
		buf_printf(out, " %-7.*s", SPAN_ARG(r->field[f]));
	buf_printf(out, " %.*s", SPAN_ARG(r->field[FIELD_COMMAND]));
	while (i < r->count) {
		used = override_at(r, i, &name, &value);
		buf_add_text(out, fold ? "\n    " : " ");
		for (size_t end = i + (used ? used : 1); i < end; i++)
			buf_printf(out, "%s%.*s",
			    used == 2 && i + 1 == end ? " " : "",
			    SPAN_ARG(r->words[i]));
	}
}

static bool
glob_part(struct span pattern, struct span text)
{
	return span_is(pattern, "*") || span_equal(pattern, text);
}

/* "service/type/item", parts missing or "*" mean all. */
struct target {
	struct span service, type, item;
};

static struct target
target_of(struct span text, bool with_item)
{
	struct target t = { SPAN("*"), SPAN("*"), SPAN("*") };
	size_t last;

	/* a service name may hold a slash, a type and an item cannot */
	if (with_item && (last = span_rfind(text, '/')) < text.n &&
	    span_find(text, '/') != last) {
		t.item = span_skip(text, last + 1);
		text = span_take(text, last);
	}
	last = span_rfind(text, '/');
	t.service = span_take(text, last);
	if (last < text.n)
		t.type = span_skip(text, last + 1);
	return t;
}

static bool
target_is(const struct target *t, const struct row *r)
{
	return glob_part(t->service, r->field[0]) &&
	    glob_part(t->type, r->field[1]);
}

struct master_work {
	struct postconf *p;
	char mode; /* M F P */
	struct target target;
	struct span value; /* of an edit */
	bool done;
	size_t found;
	struct row row;
};

static struct span
field_value(const struct row *r, int f, struct buf *command)
{
	if (f != FIELD_COMMAND)
		return r->field[f];
	buf_reset(command);
	buf_add_span(command, r->field[f]);
	for (size_t i = 0; i < r->count; i++)
		buf_printf(command, " %.*s", SPAN_ARG(r->words[i]));
	return buf_span(command);
}

static void
print_item(const struct master_work *w, struct span item, struct span value)
{
	char *name = mem_printf("%.*s/%.*s/%.*s", SPAN_ARG(w->row.field[0]),
	    SPAN_ARG(w->row.field[1]), SPAN_ARG(item));
	char *text = mem_span_text(value);

	postconf_print(w->p, name, text);
	free(name);
	free(text);
}

static void
print_fields(struct master_work *w)
{
	struct buf command = BUF_INIT(1 << 20);

	for (int f = 0; f < FIELDS; f++) {
		struct span name = span_of(field_names[f]);

		if (!glob_part(w->target.item, name))
			continue;
		w->found++;
		print_item(w, name, field_value(&w->row, f, &command));
	}
	buf_fini(&command);
}

static void
print_parameters(struct master_work *w)
{
	struct span name, value;
	size_t i = 0, used;

	while (i < w->row.count) {
		used = override_at(&w->row, i, &name, &value);
		if (used > 0 && glob_part(w->target.item, name)) {
			w->found++;
			print_item(w, name, value);
		}
		i += used > 0 ? used : 1;
	}
}

static void
print_entry(struct master_work *w)
{
	struct buf out = BUF_INIT(2 << 20);

	w->found++;
	put_row(&w->row, w->p->fold, &out);
	printf("%s\n", buf_text(&out));
	buf_fini(&out);
}

static void
list(struct master_work *w, struct span text)
{
	struct buf errors = BUF_INIT(65536);
	struct logical_lines lines;
	struct span line;

	logical_lines_init(&lines, text, "master.cf");
	while (logical_lines_next(&lines, &line, &errors)) {
		if (!split_row(line, &w->row) ||
		    !target_is(&w->target, &w->row))
			continue;
		if (w->mode == 'M')
			print_entry(w);
		else if (w->mode == 'F')
			print_fields(w);
		else
			print_parameters(w);
	}
	logical_lines_fini(&lines);
	buf_fini(&errors);
}

/* The -o setting of this name gets the value, or goes. */
static void
change_parameter(struct master_work *w, struct arena *a)
{
	struct row *r = &w->row;
	struct span name, value;
	size_t i = 0, kept = 0;

	while (i < r->count) {
		size_t used = override_at(r, i, &name, &value);

		if (used > 0 && span_equal(name, w->target.item)) {
			i += used;
			continue;
		}
		for (size_t n = used ? used : 1; n > 0; n--)
			r->words[kept++] = r->words[i++];
	}
	r->count = kept;
	if (w->p->remove || r->count + 2 > WORDS_MAX)
		return;
	r->words[r->count++] = SPAN("-o");
	r->words[r->count++] = span_of(arena_printf(a,
	    memchr(w->value.p, ' ', w->value.n) ? "{ %.*s=%.*s }" : "%.*s=%.*s",
	    SPAN_ARG(w->target.item), SPAN_ARG(w->value)));
}

static void
change_field(struct master_work *w)
{
	for (int f = 0; f < FIELDS; f++)
		if (span_is(w->target.item, field_names[f])) {
			w->row.field[f] = w->value;
			/* a command is given with all its arguments */
			if (f == FIELD_COMMAND)
				w->row.count = 0;
		}
}

static enum cf_action
decide(void *with, struct span line, struct buf *replacement)
{
	struct master_work *w = with;
	struct arena *a;

	if (!split_row(line, &w->row) || !target_is(&w->target, &w->row))
		return CF_KEEP;
	w->found++;
	if (w->mode == 'M' && w->p->remove)
		return CF_REMOVE;
	if (w->p->comment)
		return CF_COMMENT;
	if (w->mode == 'M') {
		struct row *r = &w->row;

		if (w->done)
			return CF_REMOVE;
		w->done = true;
		if (!split_row(w->value, r))
			return CF_KEEP;
		put_row(r, true, replacement);
		return CF_REPLACE;
	}
	a = arena_new();
	if (w->mode == 'P')
		change_parameter(w, a);
	else
		change_field(w);
	put_row(&w->row, true, replacement);
	arena_free(&a);
	return CF_REPLACE;
}

static void
finish(void *with, struct buf *out)
{
	struct master_work *w = with;

	if (w->mode != 'M' || w->done || w->p->remove || w->p->comment ||
	    !split_row(w->value, &w->row))
		return;
	put_row(&w->row, true, out);
	buf_add_char(out, '\n');
}

/* Would master take this line? */
static void
check_entry(struct master_work *w, const char *argument)
{
	struct buf errors = BUF_INIT(65536);
	struct master_cf *m =
	    master_cf_parse(w->value, "new entry", w->p->conf, &errors, NULL);

	if (m->count != 1 || errors.n > 0)
		fatal_status(EX_USAGE, "%s: %.*s", argument,
		    SPAN_ARG(span_trim(buf_span(&errors))));
	if (!split_row(w->value, &w->row) || !target_is(&w->target, &w->row))
		fatal_status(EX_USAGE, "%s: the entry is for another service",
		    argument);
	master_cf_free(&m);
	buf_fini(&errors);
}

static void
change(struct master_work *w, const char *path, const char *argument)
{
	const struct cf_edit edit = { .decide = decide,
		.finish = finish,
		.with = w };
	struct span text = span_of(argument);
	size_t at = span_find(text, '=');
	struct buf error = BUF_INIT(4096);

	if (span_has_break(text))
		fatal_status(EX_USAGE, "a line end in \"%.80s\"", argument);
	if (!w->p->remove && !w->p->comment && at == text.n)
		fatal_status(EX_USAGE, "\"=\" is missing: \"%.80s\"", argument);
	w->target = target_of(span_trim(span_take(text, at)), w->mode != 'M');
	w->value = span_trim(span_skip(text, at + 1));
	if (w->mode == 'M' && !w->p->remove && !w->p->comment)
		check_entry(w, argument);
	if (w->mode != 'M' && span_is(w->target.item, "*"))
		fatal_status(EX_USAGE, "service/type/%s is wanted: \"%.80s\"",
		    w->mode == 'F' ? "field" : "parameter", argument);
	if (!cf_edit_file(path, &edit, &error))
		fatal_status(EX_CANTCREAT, "%.*s",
		    SPAN_ARG(span_trim(buf_span(&error))));
	if (w->found == 0 && w->mode != 'M') {
		log_warning("no service is named \"%.*s\"",
		    SPAN_ARG(span_take(text, at)));
		w->p->status = 1;
	}
	buf_fini(&error);
}

static void
list_all(struct master_work *w, const char *path, char **arguments)
{
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX), error = BUF_INIT(4096);

	if (!logical_file_read(path, &text, &error))
		fatal_status(EX_NOINPUT, "%.*s",
		    SPAN_ARG(span_trim(buf_span(&error))));
	w->target = target_of(SPAN("*"), false);
	if (*arguments == NULL)
		list(w, buf_span(&text));
	for (; *arguments != NULL; arguments++) {
		w->target = target_of(span_of(*arguments), w->mode != 'M');
		w->found = 0;
		list(w, buf_span(&text));
		if (w->found == 0)
			log_warning("unmatched request: \"%s\"", *arguments);
	}
	buf_fini(&text);
	buf_fini(&error);
}

void
postconf_master(struct postconf *p, char mode, char **arguments)
{
	struct master_work *w = mem_new(sizeof(*w));
	char *path = mem_printf("%s/master.cf", p->directory);

	w->p = p;
	w->mode = mode;
	if (p->edit || p->remove || p->comment) {
		for (; *arguments != NULL; arguments++) {
			w->done = false;
			w->found = 0;
			change(w, path, *arguments);
		}
	} else {
		list_all(w, path, arguments);
	}
	free(path);
	free(w);
}
