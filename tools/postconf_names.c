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

/* Settings that a table in main.cf's own terms may have: "ldap:x", x_scope. */
static const struct {
	const char *type;
	const char *suffixes;
} table_suffixes[] = {
	{ "ldap",
	    "bind bind_dn bind_pw cache cache_expiry cache_size "
	    "chase_referrals debuglevel dereference domain expansion_limit "
	    "leaf_result_attribute query_filter recursion_limit "
	    "result_attribute result_filter result_format sasl_authz_id "
	    "sasl_mechs sasl_minssf sasl_realm scope search_base server_host "
	    "server_port size_limit special_result_attribute start_tls "
	    "terminal_result_attribute timeout tls_ca_cert_dir "
	    "tls_ca_cert_file tls_cert tls_cipher_suite tls_key "
	    "tls_random_file tls_require_cert version" },
	{ "mysql",
	    "additional_conditions charset dbname domain expansion_limit hosts "
	    "idle_interval option_file option_group password query "
	    "require_result_set result_filter result_format retry_interval "
	    "select_field table tls_CAfile tls_CApath tls_cert_file "
	    "tls_ciphers tls_key_file tls_verify_cert user where_field" },
	{ "pgsql",
	    "additional_conditions dbname domain encoding expansion_limit "
	    "hosts idle_interval password query result_filter result_format "
	    "retry_interval select_field select_function table user "
	    "where_field" },
	{ "sqlite",
	    "additional_conditions dbpath domain expansion_limit query "
	    "result_filter result_format select_field table where_field" },
	{ "memcache",
	    "backup data_size_limit domain flags key_format line_size_limit "
	    "max_try memcache retry_pause timeout ttl" },
};

static bool
is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Calls for each $name, ${name or $(name of a text. */
static void
each_reference(const char *text, void (*visit)(void *with, struct span name),
    void *with)
{
	const char *at = text;

	while ((at = strchr(at, '$')) != NULL) {
		struct span name;

		if (*++at == '$') {
			at++;
			continue;
		}
		if (*at == '{' || *at == '(') {
			at++;
			while (isspace((unsigned char)*at))
				at++;
		}
		name = (struct span){ at, 0 };
		while (is_name_byte(name.p[name.n]))
			name.n++;
		if (name.n > 0)
			visit(with, name);
		at += name.n;
	}
}

static bool
in_use(const struct postconf *p, struct span name)
{
	struct known *k;

	HASH_FIND(hh, p->known, name.p, name.n, k);
	return k != NULL;
}

static void
use(void *with, struct span name)
{
	struct postconf *p = with;
	struct known *k;

	if (in_use(p, name))
		return;
	k = arena_alloc(p->arena, sizeof(*k));
	k->name = arena_span(p->arena, name);
	HASH_ADD_KEYPTR(hh, p->known, k->name, name.n, k);
}

/* Words of a list of class names. */
static void
use_classes(struct postconf *p, const char *list)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item))
		use(p, item);
}

static void
use_suffixes(struct postconf *p, struct span table, const char *suffixes)
{
	struct span rest = span_of(suffixes), suffix;

	while (span_cut(&rest, " ", true, &suffix))
		use(p,
		    span_of(arena_printf(p->arena, "%.*s_%.*s", SPAN_ARG(table),
			SPAN_ARG(suffix))));
}

/* "ldap:name" in a value: the settings that such a table has. */
static void
use_tables(struct postconf *p, const char *text)
{
	for (size_t i = 0;
	     i < sizeof(table_suffixes) / sizeof(table_suffixes[0]); i++) {
		size_t n = strlen(table_suffixes[i].type);

		for (const char *at = strstr(text, table_suffixes[i].type);
		     at != NULL; at = strstr(at + 1, table_suffixes[i].type)) {
			struct span table = { at + n + 1, 0 };

			if (at[n] != ':' || (at > text && is_name_byte(at[-1])))
				continue;
			while (is_name_byte(table.p[table.n]))
				table.n++;
			if (table.n > 0)
				use_suffixes(p, table,
				    table_suffixes[i].suffixes);
		}
	}
}

/* Templates have names that only their users know. */
static bool
is_template(const char *name)
{
	const struct param *param = param_find(span_of(name));

	return param != NULL && param->type == PARAM_RAW;
}

static void
use_value(struct postconf *p, const char *name, const char *text)
{
	if (is_template(name))
		return;
	each_reference(text, use, p);
	use_tables(p, text);
	if (strcmp(name, "smtpd_restriction_classes") == 0)
		use_classes(p, text);
}

static void
use_main(void *with, const char *name, const char *raw, const char *origin)
{
	(void)origin;
	use_value(with, name, raw);
}

void
postconf_names_init(struct postconf *p)
{
	struct span name, value;

	conf_each(p->conf, use_main, p);
	for (struct master_row *r = p->rows; r != NULL; r = r->next)
		for (size_t i = 0; i < r->count; i++)
			if (row_setting(&r->words[i], &name, &value))
				use_value(p, arena_span(p->arena, name),
				    arena_span(p->arena, value));
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
	if (!span_is(r->field[ROW_TYPE], "unix"))
		return false;
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

unsigned int
postconf_class(const struct postconf *p, struct span name)
{
	char *text;
	bool set;

	if (param_find(name) != NULL || compat_find(name) != NULL)
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
	const struct postconf *p;
	const struct master_row *row; /* or NULL: main.cf */
};

static void
check_reference(void *with, struct span name)
{
	const struct warning *w = with;

	if (postconf_read_only(name) || postconf_class(w->p, name) != 0 ||
	    (w->row != NULL && row_find(w->row, name) != NULL))
		return;
	log_warning("%s/%s: undefined parameter: %.*s", w->p->directory,
	    w->row ? "master.cf" : "main.cf", SPAN_ARG(name));
}

static void
check_references(struct warning *w, const char *name, const char *text)
{
	struct span rest = span_of(text), item;

	if (is_template(name))
		return;
	each_reference(text, check_reference, w);
	if (strcmp(name, "smtpd_restriction_classes") == 0)
		while (conf_list_next(&rest, &item))
			check_reference(w, item);
}

static void
check_main(void *with, const char *name, const char *raw, const char *origin)
{
	struct warning *w = with;

	(void)origin;
	if (postconf_read_only(span_of(name)))
		log_warning("%s/main.cf: read-only parameter assignment: %s=%s",
		    w->p->directory, name, raw);
	else if (postconf_class(w->p, span_of(name)) == 0)
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
	else if (postconf_class(w->p, name) != 0 || in_use(w->p, name))
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
postconf_warn_undefined(const struct postconf *p, bool main_cf)
{
	struct warning w = { .p = p };

	if (main_cf)
		conf_each(p->conf, check_main_references, &w);
	each_setting(&w, check_setting_references);
}

void
postconf_warn_unused(const struct postconf *p, bool main_cf)
{
	struct warning w = { .p = p };

	if (main_cf)
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
