/* SPDX-License-Identifier: ISC */
/* Entries of master.cf (-M), their fields (-F) and their settings (-P). */
#include "tools/postconf.h"

#include <stdlib.h>
#include <string.h>

#include "lib/conf/conf_parts.h"
#include "lib/log/log.h"

int
row_target_of(struct span text, int most, struct row_target *t)
{
	struct span part[4];
	int parts = 0;

	*t = (struct row_target){ SPAN("*"), SPAN("*"), SPAN("*") };
	for (;;) {
		size_t at = span_find(text, '/');

		if (parts == most)
			return parts + 1;
		part[parts++] = span_take(text, at);
		if (at == text.n)
			break;
		text = span_skip(text, at + 1);
	}
	t->service = part[0];
	if (parts > 1)
		t->type = part[1];
	if (parts > 2)
		t->item = part[2];
	return part[0].n == 0 ? 0 : parts;
}

static bool
fits(struct span pattern, struct span text)
{
	return span_is(pattern, "*") || span_equal(pattern, text);
}

bool
row_target_is(const struct row_target *t, const struct master_row *row)
{
	return fits(t->service, row->field[ROW_SERVICE]) &&
	    fits(t->type, row->field[ROW_TYPE]);
}

static struct span
text_of(struct postconf *p, const struct master_row *row, struct span name,
    struct span raw)
{
	if (!p->expand || p->no_value || postconf_is_template(name))
		return raw;
	return span_of(postconf_expand(p, arena_span(p->arena, raw), row));
}

/* The row with $name expanded in its settings. */
static struct master_row *
expanded(struct postconf *p, const struct master_row *row)
{
	struct master_row *copy = arena_alloc(p->arena, sizeof(*copy));
	struct span name, value;

	*copy = *row;
	copy->words =
	    arena_alloc(p->arena, (row->count + 1) * sizeof(*copy->words));
	for (size_t i = 0; i < row->count; i++) {
		copy->words[i] = row->words[i];
		if (!row_setting(&row->words[i], &name, &value))
			continue;
		value = text_of(p, row, name, value);
		copy->words[i].text = span_of(arena_printf(p->arena,
		    "%.*s=%.*s", SPAN_ARG(name), SPAN_ARG(value)));
	}
	return copy;
}

static void
print_entry(struct postconf *p, const struct master_row *row)
{
	if (p->expand)
		row = expanded(p, row);
	row_put(row, p->fold, &p->out);
	buf_add_char(&p->out, '\n');
}

/* What was asked for; with no argument, everything. */
struct wanted {
	struct row_target target;
	const char *argument;
	bool found;
};

struct wanted_list {
	struct wanted *list;
	size_t count;
};

/* Does any of them ask for the item? NULL: for the entry. */
static bool
asked(struct wanted_list *w, const struct master_row *row,
    const struct span *item)
{
	bool any = false;

	for (size_t i = 0; i < w->count; i++) {
		const struct row_target *t = &w->list[i].target;

		if (!row_target_is(t, row) ||
		    (item != NULL && !fits(t->item, *item)))
			continue;
		w->list[i].found = true;
		any = true;
	}
	return any;
}

static const char *
item_name(struct postconf *p, const struct master_row *row, struct span item)
{
	return arena_printf(p->arena, "%.*s/%.*s/%.*s",
	    SPAN_ARG(row->field[ROW_SERVICE]), SPAN_ARG(row->field[ROW_TYPE]),
	    SPAN_ARG(item));
}

/* The command stays as it is: each word of it counts. */
static void
print_command(struct postconf *p, const struct master_row *row,
    const char *name)
{
	size_t column = 0;

	if (p->expand && !p->no_value)
		row = expanded(p, row);
	if (!p->no_name || p->no_value)
		buf_add_text(&p->out, name);
	if (!p->no_name && !p->no_value) {
		buf_add_text(&p->out, " = ");
		column = strlen(name) + 3;
	}
	if (!p->no_value)
		row_put_command(row, p->fold, column, &p->out);
	buf_add_char(&p->out, '\n');
}

static void
print_fields(struct postconf *p, const struct master_row *row,
    struct wanted_list *w)
{
	for (int f = 0; f < ROW_FIELDS; f++) {
		struct span item = span_of(row_field_name(f));
		const char *name = item_name(p, row, item);

		if (!asked(w, row, &item))
			continue;
		if (f == ROW_COMMAND)
			print_command(p, row, name);
		else
			postconf_print(p, name,
			    arena_span(p->arena, row->field[f]));
	}
}

struct setting_at {
	struct span name, value;
};

static int
by_name(const void *a, const void *b)
{
	const struct setting_at *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int order = memcmp(x->name.p, y->name.p, n);

	if (order != 0)
		return order;
	return x->name.n < y->name.n ? -1 : x->name.n > y->name.n;
}

static void
print_settings(struct postconf *p, const struct master_row *row,
    struct wanted_list *w)
{
	struct setting_at *list = arena_alloc(p->arena,
			      (row->count + 1) * sizeof(*list)),
			  one;
	size_t found = 0;

	for (size_t i = 0; i < row->count; i++)
		if (row_setting(&row->words[i], &one.name, &one.value) &&
		    asked(w, row, &one.name) &&
		    row_find(row, one.name) == &row->words[i])
			list[found++] = one;
	qsort(list, found, sizeof(*list), by_name);
	for (size_t i = 0; i < found; i++)
		postconf_print(p, item_name(p, row, list[i].name),
		    arena_span(p->arena,
			text_of(p, row, list[i].name, list[i].value)));
}

static void
print_row(struct postconf *p, char mode, const struct master_row *row,
    struct wanted_list *w)
{
	/* each request in turn, even if two ask for the same */
	for (size_t i = 0; i < w->count; i++) {
		struct wanted_list one = { &w->list[i], 1 };

		if (mode == 'M' && asked(&one, row, NULL))
			print_entry(p, row);
		else if (mode == 'F')
			print_fields(p, row, &one);
		else if (mode == 'P')
			print_settings(p, row, &one);
	}
}

static void
want(char mode, const char *argument, struct wanted *w)
{
	static const char *const forms[128] = { ['M'] = "service_name[/type]",
		['F'] = "service_name[/type[/field]]",
		['P'] = "service_name[/type[/parameter]]" };
	int most = mode == 'M' ? 2 : 3, parts;

	w->argument = argument;
	parts = row_target_of(span_of(argument), most, &w->target);
	if (parts == 0 || parts > most)
		fatal_status(1, "-%c option requires %s", mode,
		    forms[(int)mode]);
	/* nothing behind the last "/" is as good as no "/" */
	if (mode == 'M' && w->target.type.n == 0)
		w->target.type = SPAN("*");
	if (w->target.item.n == 0)
		w->target.item = SPAN("*");
	if (mode == 'F' && !span_is(w->target.item, "*") &&
	    row_field_find(w->target.item) == ROW_FIELDS)
		fatal_status(1, "invalid service attribute name: \"%.*s\"",
		    SPAN_ARG(w->target.item));
}

static struct wanted_list
wants(struct postconf *p, char mode, char **arguments)
{
	struct wanted_list w = { .count = 0 };

	while (arguments[w.count] != NULL)
		w.count++;
	w.list = arena_alloc(p->arena, (w.count + 1) * sizeof(*w.list));
	for (size_t i = 0; i < w.count; i++)
		want(mode, arguments[i], &w.list[i]);
	if (w.count == 0) {
		want(mode, "*", &w.list[0]);
		w.list[0].argument = NULL; /* nothing there is no complaint */
		w.count = 1;
	}
	return w;
}

void
postconf_master(struct postconf *p, char mode, char **arguments)
{
	struct wanted_list w = wants(p, mode, arguments);

	if (!p->quiet)
		postconf_warn_undefined(p);
	for (const struct master_row *r = p->rows; r != NULL; r = r->next)
		print_row(p, mode, r, &w);
	postconf_flush(p);
	for (size_t i = 0; i < w.count; i++)
		if (!w.list[i].found && w.list[i].argument != NULL)
			log_warning("unmatched request: \"%s\"",
			    w.list[i].argument);
	if (!p->quiet)
		postconf_warn_unused(p, false);
}
