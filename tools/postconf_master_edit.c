/* SPDX-License-Identifier: ISC */
/*
 * Changes of master.cf, all requests of one command in one new file. Entries
 * that nobody asked to change stay as they are, byte for byte.
 */
#include "tools/postconf.h"

#include <stdlib.h>
#include <string.h>

#include "lib/conf/conf_parts.h"
#include "lib/log/log.h"
#include "tools/cf_edit.h"

struct request {
	const char *argument;
	struct row_target target;
	struct span value; /* of -e */
	struct master_row *row; /* -Me: the new entry */
	bool done; /* -Me: written; an entry of the same name goes */
	bool found;
};

struct work {
	struct postconf *p;
	char mode; /* M F P */
	enum cf_action action;
	struct request *list;
	size_t count;
};

static void
wants_item(const struct work *w, struct span item)
{
	if (w->mode == 'F' && span_is(item, "*"))
		fatal_status(1, "-Fe does not accept wild-card field name");
	if (w->mode == 'F' && row_field_find(item) == ROW_FIELDS)
		fatal_status(1, "invalid service attribute name: \"%.*s\"",
		    SPAN_ARG(item));
	if (w->mode == 'P' && span_is(item, "*"))
		fatal_status(1, "-Pe does not accept wild-card parameter name");
}

static bool
has_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(" \t\v\f", s.p[i]) != NULL)
			return true;
	return false;
}

/* A command or setting that would not read back as it was given. */
static bool
is_odd(const struct buf *warnings, struct buf *why)
{
	struct span rest = buf_span(warnings), line;

	while (span_cut(&rest, "\n", true, &line)) {
		if (why->n > 0)
			buf_add_text(why, "; ");
		buf_add_span(why, line);
	}
	return warnings->n > 0;
}

/* Is the new entry of this one's name? */
static bool
is_entry(const struct request *r, const struct master_row *row)
{
	return span_equal(r->row->field[ROW_SERVICE],
		   row->field[ROW_SERVICE]) &&
	    span_equal(r->row->field[ROW_TYPE], row->field[ROW_TYPE]);
}

/* As for main.cf: of two new entries of one name the later one counts. */
static void
drop_earlier(struct work *w, struct request *r)
{
	for (size_t i = 0; i + 1 < w->count; i++) {
		struct request *old = &w->list[i];

		if (!is_entry(r, old->row))
			continue;
		log_warning("ignoring earlier request: '%s'", old->argument);
		*old = *r;
		w->count--;
		return;
	}
}

static void
check_entry(struct work *w, struct request *r)
{
	struct buf error = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);

	r->row = row_parse(w->p->arena, r->value, &error, &warnings);
	if (r->row == NULL && span_starts(buf_span(&error), "bad"))
		fatal_status(1, "%s: \"%s\"", buf_text(&error), r->argument);
	if (r->row == NULL || is_odd(&warnings, &error))
		fatal_status(1, "%s", buf_text(&error));
	drop_earlier(w, r);
	buf_fini(&error);
	buf_fini(&warnings);
}

static void
check_value(struct work *w, struct request *r)
{
	if (w->mode == 'M')
		check_entry(w, r);
	else if (w->mode == 'F' && has_blank(r->value) &&
	    row_field_find(r->target.item) != ROW_COMMAND)
		fatal_status(1,
		    "-Fe does not accept whitespace in non-command field");
	else if (w->mode == 'P' && has_blank(r->value))
		fatal_status(1,
		    "-Pe does not accept whitespace in parameter value");
}

/* "service/type/item = value" of -e; names only otherwise. */
static void
add_request(struct work *w, const char *argument)
{
	static const char *const forms[128] = {
		['M'] = "-Me, -MX or -M# requires service_name/type",
		['F'] = "-Fe or -FX requires service_name/type/field_name",
		['P'] = "-Pe or -PX requires service_name/type/parameter"
	};
	struct request *r = &w->list[w->count++];
	struct span name = span_trim(span_of(argument));
	int parts = w->mode == 'M' ? 2 : 3;
	const char *wrong = NULL;

	*r = (struct request){ .argument = argument };
	if (span_has_break(span_of(argument)))
		fatal_status(1, "-e, -X, or -# accepts no multi-line input");
	if (w->p->edit)
		wrong = conf_split(span_of(argument), &name, &r->value);
	if (wrong != NULL)
		fatal_status(1, "%s: \"%s\"", wrong, argument);
	if (row_target_of(name, parts, &r->target) != parts ||
	    r->target.type.n == 0 || r->target.item.n == 0)
		fatal_status(1, "%s", forms[(int)w->mode]);
	if (w->mode != 'M')
		wants_item(w, r->target.item);
	if (w->p->edit)
		check_value(w, r);
}

/* False: *why the field cannot have this value. */
static bool
set_field(struct work *w, struct request *r, struct master_row *row,
    struct buf *why)
{
	int field = row_field_find(r->target.item);
	struct buf odd = BUF_INIT(1 << 20);
	bool ok = true;

	if (field != ROW_COMMAND) {
		ok = row_field_valid(field, r->value, r->value, why);
		row->field[field] = r->value;
	} else if (!row_set_command(w->p->arena, row, r->value, &odd)) {
		buf_printf(why, "bad field count: \"%s\"", r->argument);
		ok = false;
	} else {
		ok = !is_odd(&odd, why);
	}
	buf_fini(&odd);
	return ok;
}

static enum cf_action
change_row(struct work *w, struct request *r, struct master_row *row,
    struct buf *why)
{
	r->found = true;
	if (w->mode == 'F')
		return set_field(w, r, row, why) ? CF_REPLACE : CF_REFUSE;
	if (w->p->remove)
		return row_remove(row, r->target.item) ? CF_REPLACE : CF_KEEP;
	row_set(w->p->arena, row, r->target.item,
	    span_of(arena_printf(w->p->arena, "%.*s=%.*s",
		SPAN_ARG(r->target.item), SPAN_ARG(r->value))));
	return CF_REPLACE;
}

/*
 * Is it the entry that a request of -M is about? One of the new entry's name
 * is as well: there cannot be two of it.
 */
static bool
concerns(const struct request *r, const struct master_row *row)
{
	return row_target_is(&r->target, row) ||
	    (r->row != NULL && is_entry(r, row));
}

static enum cf_action
change_entry(struct work *w, struct request *r, struct buf *replacement)
{
	r->found = true;
	if (!w->p->edit)
		return w->action;
	if (r->done)
		return CF_REMOVE;
	r->done = true;
	row_put(r->row, true, replacement);
	return CF_REPLACE;
}

/* All that -F or -P ask of one entry. "odd": what it was read with. */
static enum cf_action
change_rows(struct work *w, struct master_row *row, const struct buf *odd,
    struct buf *replacement)
{
	enum cf_action action = CF_KEEP, one;

	for (size_t i = 0; i < w->count; i++) {
		if (!row_target_is(&w->list[i].target, row))
			continue;
		one = change_row(w, &w->list[i], row, replacement);
		if (one == CF_REFUSE)
			return one;
		if (one != CF_KEEP)
			action = one;
	}
	if (action == CF_REPLACE && is_odd(odd, replacement))
		return CF_REFUSE; /* it could not be written back */
	if (action == CF_REPLACE)
		row_put(row, true, replacement);
	return action;
}

static bool
is_target(const struct work *w, const struct master_row *names)
{
	for (size_t i = 0; i < w->count; i++)
		if (row_target_is(&w->list[i].target, names))
			return true;
	return false;
}

/* An entry that is asked for has to be a proper one; of others who cares. */
static enum cf_action
change_line(struct work *w, struct span line, const struct master_row *names,
    struct buf *replacement)
{
	struct buf error = BUF_INIT(1 << 20), odd = BUF_INIT(1 << 20);
	enum cf_action action = CF_KEEP;
	struct master_row *row;

	if (!is_target(w, names))
		return CF_KEEP;
	row = row_parse(w->p->arena, line, &error, &odd);
	if (row != NULL) {
		action = change_rows(w, row, &odd, replacement);
	} else {
		action = CF_REFUSE;
		buf_printf(replacement, "%s/master.cf: %s", w->p->directory,
		    buf_text(&error));
		/* the other errors say where they are */
		if (span_starts(buf_span(&error), "bad"))
			buf_printf(replacement, ": \"%.*s\"",
			    SPAN_ARG(span_take(line, 200)));
	}
	buf_fini(&error);
	buf_fini(&odd);
	return action;
}

static enum cf_action
change_entries(struct work *w, const struct master_row *row,
    struct buf *replacement)
{
	for (size_t i = 0; i < w->count; i++)
		if (concerns(&w->list[i], row))
			return change_entry(w, &w->list[i], replacement);
	return CF_KEEP;
}

static enum cf_action
decide(void *with, struct span line, struct buf *replacement)
{
	struct work *w = with;
	struct master_row names;

	if (!row_names(line, &names)) {
		buf_printf(replacement,
		    "%s/master.cf: service name or type is missing: \"%.*s\"",
		    w->p->directory, SPAN_ARG(span_take(line, 200)));
		return CF_REFUSE;
	}
	if (w->mode == 'M')
		return change_entries(w, &names, replacement);
	return change_line(w, line, &names, replacement);
}

static void
finish(void *with, struct buf *out)
{
	struct work *w = with;

	for (size_t i = 0; w->mode == 'M' && w->p->edit && i < w->count; i++) {
		if (w->list[i].done)
			continue;
		row_put(w->list[i].row, true, out);
		buf_add_char(out, '\n');
	}
}

void
postconf_master_edit(struct postconf *p, char mode, char **arguments)
{
	struct work w = { .p = p,
		.mode = mode,
		.action = p->comment ? CF_COMMENT : CF_REMOVE };
	const struct cf_edit edit = { .decide = decide,
		.finish = finish,
		.with = &w };
	struct buf error = BUF_INIT(4096);
	char *path = mem_printf("%s/master.cf", p->directory);
	size_t count = 0;

	while (arguments[count] != NULL)
		count++;
	w.list = arena_alloc(p->arena, (count + 1) * sizeof(*w.list));
	for (; *arguments != NULL; arguments++)
		add_request(&w, *arguments);
	if (!cf_edit_file(path, &edit, &error))
		fatal_status(1, "%.*s", SPAN_ARG(span_trim(buf_span(&error))));
	for (size_t i = 0; mode != 'M' && i < w.count; i++)
		if (!w.list[i].found)
			log_warning("unmatched service_name/type: \"%s\"",
			    w.list[i].argument);
	buf_fini(&error);
	free(path);
}
