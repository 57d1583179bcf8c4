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
static void
warn_lines(const struct buf *warnings)
{
	if (warnings->n > 0)
		fatal_status(1, "%.*s",
		    SPAN_ARG(span_trim(buf_span(warnings))));
}

static void
check_entry(struct work *w, struct request *r)
{
	struct buf error = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);

	r->row = row_parse(w->p->arena, r->value, &error, &warnings);
	if (r->row == NULL && span_starts(buf_span(&error), "bad"))
		fatal_status(1, "%s: \"%s\"", buf_text(&error), r->argument);
	if (r->row == NULL)
		fatal_status(1, "%s", buf_text(&error));
	warn_lines(&warnings);
	buf_fini(&error);
	buf_fini(&warnings);
}

static void
check_field(struct work *w, struct request *r)
{
	int field = row_field_find(r->target.item);
	struct buf error = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);
	struct master_row row = { .count = 0 };

	if (field == ROW_COMMAND) {
		if (!row_set_command(w->p->arena, &row, r->value, &warnings))
			fatal_status(1, "bad field count: \"%s\"", r->argument);
		warn_lines(&warnings);
	} else if (has_blank(r->value)) {
		fatal_status(1,
		    "-Fe does not accept whitespace in non-command field");
	} else if (!row_field_valid(field, r->value, r->value, &error)) {
		fatal_status(1, "%s", buf_text(&error));
	}
	buf_fini(&error);
	buf_fini(&warnings);
}

static void
check_value(struct work *w, struct request *r)
{
	if (w->mode == 'M')
		check_entry(w, r);
	else if (w->mode == 'F')
		check_field(w, r);
	else if (has_blank(r->value))
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
	if (row_target_of(name, parts, &r->target) != parts)
		fatal_status(1, "%s", forms[(int)w->mode]);
	if (w->mode != 'M')
		wants_item(w, r->target.item);
	if (w->p->edit)
		check_value(w, r);
}

static bool
change_row(struct work *w, struct request *r, struct master_row *row)
{
	struct buf ignored = BUF_INIT(1 << 20);
	int field;

	r->found = true;
	if (w->mode == 'P' && w->p->remove)
		return row_remove(row, r->target.item);
	if (w->mode == 'P') {
		row_set(w->p->arena, row, r->target.item,
		    span_of(arena_printf(w->p->arena, "%.*s=%.*s",
			SPAN_ARG(r->target.item), SPAN_ARG(r->value))));
		return true;
	}
	field = row_field_find(r->target.item);
	if (field == ROW_COMMAND)
		row_set_command(w->p->arena, row, r->value, &ignored);
	else
		row->field[field] = r->value;
	buf_fini(&ignored);
	return true;
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

static enum cf_action
decide(void *with, struct span line, struct buf *replacement)
{
	struct work *w = with;
	struct buf error = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);
	struct master_row *row =
	    row_parse(w->p->arena, line, &error, &warnings);
	enum cf_action action = CF_KEEP;
	bool changed = false;

	for (size_t i = 0; row != NULL && i < w->count; i++) {
		struct request *r = &w->list[i];

		if (!row_target_is(&r->target, row))
			continue;
		if (w->mode != 'M') {
			changed = change_row(w, r, row) || changed;
			continue;
		}
		action = change_entry(w, r, replacement);
		break;
	}
	if (changed && warnings.n > 0) /* it could not be written back */
		fatal_status(1, "%.*s",
		    SPAN_ARG(span_trim(buf_span(&warnings))));
	if (changed) {
		row_put(row, true, replacement);
		action = CF_REPLACE;
	}
	buf_fini(&error);
	buf_fini(&warnings);
	return action;
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
