/* SPDX-License-Identifier: ISC */
/*
 * SECURITY. The file may hold a password: no value of it is ever logged.
 */
#include "lib/table/table_settings.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/conf/conf.h"
#include "lib/conf/logical_lines.h"
#include "lib/log/log.h"

enum { NAME_MAX_HERE = 128, FAR = 3, TOLD_MAX = 1 << 16 };

struct value {
	const struct module_setting *row;
	char *text; /* NULL: the default */
	int64_t number;
};

struct table_settings {
	struct value *values;
	size_t count;
};

void
settings_told_init(struct settings_told *told)
{
	buf_init(&told->errors, TOLD_MAX);
	buf_init(&told->unknown, TOLD_MAX);
	buf_init(&told->warnings, TOLD_MAX);
}

void
settings_told_fini(struct settings_told *told)
{
	buf_fini(&told->errors);
	buf_fini(&told->unknown);
	buf_fini(&told->warnings);
}

void
settings_told_reset(struct settings_told *told)
{
	buf_reset(&told->errors);
	buf_reset(&told->unknown);
	buf_reset(&told->warnings);
}

void
settings_told_add(struct settings_told *told, const struct settings_told *more)
{
	buf_add_span(&told->errors, buf_span(&more->errors));
	buf_add_span(&told->unknown, buf_span(&more->unknown));
	buf_add_span(&told->warnings, buf_span(&more->warnings));
}

static void
log_each(const struct buf *lines)
{
	struct span rest = buf_span(lines), line;

	while (span_cut(&rest, "\n", true, &line))
		log_warning("%.*s", SPAN_ARG(line));
}

void
settings_told_mention(const struct settings_told *told, bool *mentioned)
{
	if (*mentioned)
		return;
	*mentioned = true;
	log_each(&told->unknown);
	log_each(&told->warnings);
}

void
settings_told_kept(const struct settings_told *told, const char *path)
{
	log_each(&told->errors);
	log_warning("%s: not taken up, the former settings stay", path);
}

static struct value *
find(const struct table_settings *s, struct span name)
{
	for (size_t i = 0; i < s->count; i++)
		if (span_is(name, s->values[i].row->name))
			return &s->values[i];
	return NULL;
}

static const char *
nearest(const struct table_settings *s, struct span name)
{
	const char *best = NULL;
	size_t least = FAR + 1;

	for (size_t i = 0; i < s->count; i++) {
		size_t d = conf_name_distance(name, s->values[i].row->name);

		if (d < least) {
			least = d;
			best = s->values[i].row->name;
		}
	}
	return best;
}

static bool
is_word(const char *text, const char *words)
{
	struct span rest = span_of(words), word;

	while (span_cut(&rest, " ", true, &word))
		if (span_is_nocase(word, text))
			return true;
	return false;
}

static bool
is_limit(const struct module_setting *row)
{
	return row->kind == MODULE_LIMIT || row->kind == MODULE_TIME;
}

static bool
read_number(const struct module_setting *row, const char *text, int64_t *out)
{
	struct span s = span_of(text);
	uint64_t number;

	switch (row->kind) {
	case MODULE_BOOL:
		*out = span_is_nocase(s, "yes");
		return *out || span_is_nocase(s, "no");
	case MODULE_TIME:
		if (!conf_parse_time(text, 's', out))
			return false;
		break;
	default:
		if (!span_u64(s, INT64_MAX, &number))
			return false;
		*out = (int64_t)number;
	}
	return *out >= row->min && (is_limit(row) || *out <= row->max);
}

/* What is above the largest means "much", and works with the largest. */
static void
clamp(struct value *v, const char *where, struct buf *warnings)
{
	if (!is_limit(v->row) || v->number <= v->row->max)
		return;
	v->number = v->row->max;
	buf_printf(warnings, "%s: %s: %s is more than %lld, which is taken\n",
	    where, v->row->name, v->text, (long long)v->number);
}

/* False, with what is wanted. */
static bool
set(struct value *v, struct span text, struct buf *wanted)
{
	const struct module_setting *row = v->row;

	free(v->text);
	v->text = mem_span_text(text);
	switch (row->kind) {
	case MODULE_TEXT:
		return true;
	case MODULE_WORD:
		buf_printf(wanted, "one of: %s", row->words);
		return is_word(v->text, row->words);
	case MODULE_BOOL:
		buf_add_text(wanted, "yes or no");
		return read_number(row, v->text, &v->number);
	case MODULE_COUNT:
	case MODULE_LIMIT:
	case MODULE_TIME:
		buf_printf(wanted, "%s from %lld to %lld",
		    row->kind == MODULE_TIME ? "seconds" : "a number",
		    (long long)row->min, (long long)row->max);
		return read_number(row, v->text, &v->number);
	}
	unreachable();
}

static void
take(struct table_settings *s, const char *where, struct span name,
    struct span text, struct settings_told *told)
{
	struct value *v = find(s, name);
	struct buf wanted = BUF_INIT(1024);
	const char *near;

	if (v == NULL) {
		near = nearest(s, name);
		buf_printf(&told->unknown, "%s: unknown name \"%.*s\"", where,
		    SPAN_ARG(span_take(name, NAME_MAX_HERE)));
		if (near != NULL)
			buf_printf(&told->unknown, ", is \"%s\" meant?", near);
		buf_add_char(&told->unknown, '\n');
	} else if (!set(v, text, &wanted)) {
		buf_printf(&told->errors, "%s: %s: wanted is %s\n", where,
		    v->row->name, buf_text(&wanted));
	} else {
		clamp(v, where, &told->warnings);
	}
	buf_fini(&wanted);
}

static struct table_settings *
new_settings(const struct module_setting *const *lists)
{
	struct table_settings *s = mem_new(sizeof(*s));
	size_t room = 0;

	for (size_t l = 0; lists[l] != NULL; l++)
		for (const struct module_setting *r = lists[l]; r->name; r++)
			room++;
	s->values = mem_array(room, sizeof(*s->values));
	for (size_t l = 0; lists[l] != NULL; l++)
		for (const struct module_setting *r = lists[l]; r->name; r++) {
			struct value *v = &s->values[s->count++];

			v->row = r;
			if (r->kind != MODULE_TEXT && r->kind != MODULE_WORD)
				ensure(read_number(r, r->fallback, &v->number));
		}
	return s;
}

struct table_settings *
table_settings_parse(const char *path, struct span text,
    const struct module_setting *const *lists, struct settings_told *told)
{
	struct table_settings *s = new_settings(lists);
	struct logical_lines lines;
	struct span line;

	if (span_find(text, '\0') < text.n) {
		buf_printf(&told->errors, "%s: holds a null byte\n", path);
		return s;
	}
	logical_lines_init(&lines, text, path);
	while (logical_lines_next(&lines, &line, &told->errors)) {
		size_t equal = span_find(line, '=');
		char *where = mem_printf("%s, line %d", path, lines.number);

		if (equal == line.n || equal == 0)
			buf_printf(&told->errors,
			    "%s: \"name = value\" is wanted\n", where);
		else
			take(s, where, span_trim(span_take(line, equal)),
			    span_trim(span_skip(line, equal + 1)), told);
		free(where);
	}
	logical_lines_fini(&lines);
	return s;
}

struct table_settings *
table_settings_gather(const char *prefix, table_settings_find *get, void *with,
    const struct module_setting *const *lists, struct settings_told *told)
{
	struct table_settings *s = new_settings(lists);

	for (size_t i = 0; i < s->count; i++) {
		const char *own = s->values[i].row->name;
		char *name = mem_printf("%s_%s", prefix, own);
		const char *text = get(with, name);

		if (text != NULL)
			take(s, name, span_of(own), span_of(text), told);
		free(name);
	}
	return s;
}

void
table_settings_free(struct table_settings **sp)
{
	struct table_settings *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		free(s->values[i].text);
	free(s->values);
	free(s);
}

static const struct value *
must_find(const struct table_settings *s, const char *name)
{
	const struct value *v = find(s, span_of(name));

	ensure(v != NULL);
	return v;
}

const char *
table_settings_text(const struct table_settings *s, const char *name)
{
	const struct value *v = must_find(s, name);

	return v->text != NULL ? v->text : v->row->fallback;
}

int64_t
table_settings_number(const struct table_settings *s, const char *name)
{
	return must_find(s, name)->number;
}

bool
table_settings_given(const struct table_settings *s, const char *name)
{
	return must_find(s, name)->text != NULL;
}

bool
table_settings_has(const struct table_settings *s, const char *name)
{
	return find(s, span_of(name)) != NULL;
}
