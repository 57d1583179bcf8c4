/* SPDX-License-Identifier: ISC */
/*
 * Which names mean something: those of the suite and of Postfix, SERVICE_x
 * families, and the administrator's own that others refer to. What is set
 * and means nothing is "unused", what is referred to and not there
 * "undefined".
 */
#include "tools/postconf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf/conf_parts.h"
#include "lib/log/log.h"

struct known {
	const char *name;
	UT_hash_handle hh;
};

static bool
in_use(const struct postconf *p, struct span name)
{
	struct known *k;

	HASH_FIND(hh, p->known, name.p, name.n, k);
	return k != NULL;
}

void
postconf_use(struct postconf *p, struct span name)
{
	struct known *k;

	if (in_use(p, name))
		return;
	k = arena_alloc(p->arena, sizeof(*k));
	k->name = arena_span(p->arena, name);
	HASH_ADD_KEYPTR(hh, p->known, k->name, name.n, k);
}

/* Whose settings are looked at: those of a service, or main.cf's. */
struct user {
	struct postconf *p;
	const struct master_row *row;
};

/* In use by main.cf, or by one service: what that one sets for itself. */
static struct span
used_by(const struct postconf *p, const struct master_row *row,
    struct span name)
{
	if (row == NULL)
		return span_of(
		    arena_printf(p->arena, "main.cf/%.*s", SPAN_ARG(name)));
	return span_of(arena_printf(p->arena, "%.*s/%.*s/%.*s",
	    SPAN_ARG(row->field[ROW_SERVICE]), SPAN_ARG(row->field[ROW_TYPE]),
	    SPAN_ARG(name)));
}

static void
use(void *with, struct span name)
{
	struct user *u = with;

	if (u->row == NULL || row_find(u->row, name) != NULL)
		postconf_use(u->p, used_by(u->p, u->row, name));
	if (u->row == NULL || row_find(u->row, name) == NULL)
		postconf_use(u->p, name);
}

bool
postconf_is_template(struct span name)
{
	/* of those that no program of this suite reads */
	static const char *const others[] = { "default_rbl_reply",
		"postscreen_expansion_filter", "postscreen_reject_footer",
		"smtpd_expansion_filter" };
	const struct param *param = param_find(name);

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (span_is(name, others[i]))
			return true;
	return param != NULL && param->type == PARAM_RAW;
}

/* What a value refers to. "row": whose setting it is, NULL: main.cf's. */
static void
scan(struct postconf *p, const char *text, conf_name_visitor *visit, void *with)
{
	struct buf error = BUF_INIT(4096);

	if (!conf_scan(p->conf, text, visit, with, &error) && !p->quiet)
		log_warning("%.*s", SPAN_ARG(span_trim(buf_span(&error))));
	buf_fini(&error);
}

static bool
lists_classes(const char *name)
{
	return strcmp(name, "smtpd_restriction_classes") == 0;
}

static void
use_value(struct postconf *p, const struct master_row *row, const char *name,
    const char *text)
{
	struct user u = { p, row };
	struct span rest, class;

	if (postconf_is_template(span_of(name)))
		return;
	scan(p, text, use, &u);
	if (!lists_classes(name))
		return;
	rest = span_of(postconf_expand(p, text, row));
	while (span_cut(&rest, ", \t\r\n", true, &class))
		use(&u, class);
}

/* All settings of the files that count: those of main.cf have no row. */
static void
each_set(struct postconf *p,
    void (*visit)(struct postconf *p, const struct master_row *row,
	const char *name, const char *text))
{
	struct span name, value;

	for (const struct setting *s = p->conf->first; s != NULL; s = s->next)
		if (!postconf_read_only(span_of(s->name)))
			visit(p, NULL, s->name, s->raw);
	for (const struct master_row *r = p->rows; r != NULL; r = r->next)
		for (size_t i = 0; i < r->count; i++)
			if (row_setting(&r->words[i], &name, &value) &&
			    row_find(r, name) == &r->words[i] &&
			    !postconf_read_only(name))
				visit(p, r, arena_span(p->arena, name),
				    arena_span(p->arena, value));
}

static const char *
place_of(struct postconf *p, const struct master_row *row)
{
	if (row == NULL)
		return "main.cf";
	return arena_printf(p->arena, "master.cf:%.*s/%.*s",
	    SPAN_ARG(row->field[ROW_SERVICE]), SPAN_ARG(row->field[ROW_TYPE]));
}

/* Tables are looked for where they may be asked: not in an unused value. */
static void
use_tables(struct postconf *p, const struct master_row *row, const char *name,
    const char *text)
{
	unsigned int class = postconf_class(p, span_of(name));

	if (!postconf_is_template(span_of(name)) &&
	    (class & (CLASS_BUILTIN | CLASS_SERVICE)))
		postconf_use_tables(p, place_of(p, row),
		    postconf_expand(p, text, row));
}

void
postconf_names_init(struct postconf *p)
{
	each_set(p, use_value);
	each_set(p, use_tables);
}

void
postconf_names_fini(struct postconf *p)
{
	HASH_CLEAR(hh, p->known);
}

/* Is "name" a family of this row's service? */
static bool
family_of(const struct master_row *r, struct span name,
    const struct conf_family *family)
{
	static const char *const transports[] = { "smtp", "lmtp", "local",
		"pipe", "virtual", "error" };
	struct span service = r->field[ROW_SERVICE],
		    command = r->field[ROW_COMMAND];

	if (name.n != service.n + 1 + strlen(family->suffix) ||
	    !span_equal(span_take(name, service.n), service))
		return false;
	if (strcmp(family->suffix, "time_limit") == 0)
		return span_is(command, "pipe") || span_is(command, "spawn");
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (span_is(command, transports[i]))
			return true;
	return false;
}

static bool
is_family(const struct postconf *p, struct span name)
{
	const struct conf_family *family = conf_family_find(name);

	if (family != NULL)
		for (const struct master_row *r = p->rows; r; r = r->next)
			if (family_of(r, name, family))
				return true;
	return false;
}

/* Built in by the suite, and a family of a service's with Postfix. */
static bool
is_used_by(struct span name)
{
	static const char *const services[] = { "smtp_destination_",
		"lmtp_destination_", "relay_destination_",
		"virtual_destination_" };

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (span_starts(name, services[i]))
			return conf_family_find(name) != NULL;
	return false;
}

unsigned int
postconf_class(const struct postconf *p, struct span name)
{
	char *text;
	bool set;

	if (!is_used_by(name) &&
	    (param_find(name) != NULL || compat_find(name) != NULL))
		return CLASS_BUILTIN;
	if (is_family(p, name))
		return CLASS_SERVICE;
	if (!in_use(p, name))
		return 0;
	text = mem_span_text(name);
	set = conf_raw(p->conf, text) != NULL;
	free(text);
	return set ? CLASS_USER : 0;
}

bool
postconf_read_only(struct span name)
{
	return span_is(name, "process_id") || span_is(name, "process_name") ||
	    span_is(name, "service_name");
}

struct warning {
	struct postconf *p;
	const struct master_row *row; /* or NULL: main.cf */
	bool main_cf; /* main.cf is what this is about */
};

/* Does some service set it? Then main.cf may refer to it. */
static bool
set_by_service(const struct postconf *p, struct span name)
{
	for (const struct master_row *r = p->rows; r != NULL; r = r->next)
		if (row_find(r, name) != NULL)
			return true;
	return false;
}

static void
check_reference(void *with, struct span name)
{
	const struct warning *w = with;

	if (postconf_read_only(name) || postconf_class(w->p, name) != 0 ||
	    (w->row != NULL ? row_find(w->row, name) != NULL :
			      set_by_service(w->p, name)))
		return;
	log_warning("%s/%s: undefined parameter: %.*s", w->p->directory,
	    w->row ? "master.cf" : "main.cf", SPAN_ARG(name));
}

static void
check_references(struct warning *w, const char *name, const char *text)
{
	struct span rest, class;

	if (postconf_is_template(span_of(name)) ||
	    postconf_read_only(span_of(name)))
		return;
	conf_scan(w->p->conf, text, check_reference, w, NULL);
	if (!lists_classes(name))
		return;
	rest = span_of(postconf_expand(w->p, text, w->row));
	while (span_cut(&rest, ", \t\r\n", true, &class))
		check_reference(w, class);
}

static void
check_main(void *with, const char *name, const char *raw, const char *origin)
{
	struct warning *w = with;

	(void)origin;
	if (postconf_read_only(span_of(name)))
		log_warning("%s/main.cf: read-only parameter assignment: %s=%s",
		    w->p->directory, name, raw);
	else if (w->main_cf && postconf_class(w->p, span_of(name)) == 0)
		log_warning("%s/main.cf: unused parameter: %s=%s",
		    w->p->directory, name, raw);
}

static void
check_main_references(void *with, const char *name, const char *raw,
    const char *origin)
{
	(void)origin;
	check_references(with, name, raw);
}

/* Settings of master.cf that count; "visit" gets name and value. */
static void
each_setting(struct warning *w,
    void (*visit)(struct warning *w, struct span name, struct span value))
{
	struct span name, value;

	for (w->row = w->p->rows; w->row != NULL; w->row = w->row->next)
		for (size_t i = 0; i < w->row->count; i++) {
			const struct row_word *word = &w->row->words[i];

			if (row_setting(word, &name, &value) &&
			    row_find(w->row, name) == word)
				visit(w, name, value);
		}
}

static void
check_setting(struct warning *w, struct span name, struct span value)
{
	const char *what = "unused parameter";

	if (postconf_read_only(name))
		what = "read-only parameter assignment";
	else if (postconf_class(w->p, name) != 0 ||
	    in_use(w->p, used_by(w->p, NULL, name)) ||
	    in_use(w->p, used_by(w->p, w->row, name)))
		return;
	log_warning("%s/master.cf: %s: %.*s=%.*s", w->p->directory, what,
	    SPAN_ARG(name), SPAN_ARG(value));
}

static void
check_setting_references(struct warning *w, struct span name, struct span value)
{
	check_references(w, arena_span(w->p->arena, name),
	    arena_span(w->p->arena, value));
}

void
postconf_warn_undefined(struct postconf *p)
{
	struct warning w = { .p = p };

	conf_each(p->conf, check_main_references, &w);
	each_setting(&w, check_setting_references);
}

void
postconf_warn_unused(struct postconf *p, bool main_cf)
{
	struct warning w = { .p = p, .main_cf = main_cf };

	conf_each(p->conf, check_main, &w);
	each_setting(&w, check_setting);
}

struct names {
	const struct postconf *p;
	const char **list;
	size_t count;
};

static void
add_name(struct names *n, const char *name)
{
	if ((postconf_class(n->p, span_of(name)) & n->p->classes) == 0)
		return;
	n->list = mem_resize(n->list, (n->count + 1) * sizeof(*n->list));
	n->list[n->count++] = name;
}

static void
add_set(void *with, const char *name, const char *raw, const char *origin)
{
	(void)raw;
	(void)origin;
	if (!postconf_read_only(span_of(name)))
		add_name(with, name);
}

static void
add_families(struct names *n)
{
	const struct conf_family *family;

	for (const struct master_row *r = n->p->rows; r; r = r->next)
		for (size_t i = 0; (family = conf_family_at(i)) != NULL; i++)
			add_name(n,
			    arena_printf(n->p->arena, "%.*s_%s",
				SPAN_ARG(r->field[ROW_SERVICE]),
				family->suffix));
}

static void
add_builtin(struct names *n)
{
	size_t count;
	const struct compat *rows = compat_rows(&count);

	for (const struct param_group *const *g = param_groups; *g; g++)
		for (size_t i = 0; i < (*g)->count; i++)
			add_name(n, (*g)->params[i].name);
	for (size_t i = 0; i < count; i++)
		add_name(n, rows[i].name);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **
postconf_names(const struct postconf *p)
{
	struct names n = { .p = p };
	size_t kept = 0;

	if (!p->changed_only) {
		add_builtin(&n);
		add_families(&n);
	}
	if (!p->defaults)
		conf_each(p->conf, add_set, &n);
	if (n.count > 0)
		qsort(n.list, n.count, sizeof(*n.list), by_name);
	for (size_t i = 0; i < n.count; i++)
		if (kept == 0 || strcmp(n.list[kept - 1], n.list[i]) != 0)
			n.list[kept++] = n.list[i];
	n.list = mem_resize(n.list, (kept + 1) * sizeof(*n.list));
	n.list[kept] = NULL;
	return n.list;
}
