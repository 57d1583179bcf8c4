/* SPDX-License-Identifier: ISC */
/*
 * Tables in values, as far as their settings are concerned. "ldap:people" has
 * them in main.cf (people_bind), "ldap:/path" or "ldap:./path" in a file of
 * its own.
 */
#include "tools/postconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/conf/conf_parts.h"
#include "lib/conf/logical_lines.h"
#include "lib/log/log.h"

/* Settings that a table has: in its file, or with its name before them. */
static const struct kind {
	const char *type;
	const char *suffixes;
} kinds[] = {
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
	{ "redis", "database hosts password query user" },
};

/* A file that was looked at, as "ldap:/path". */
struct table_file {
	struct table_file *next;
	const char *table;
};

static const struct kind *
find_kind(struct span type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_is(type, kinds[i].type))
			return &kinds[i];
	return NULL;
}

static bool
has_suffix(const struct kind *kind, const char *name)
{
	struct span rest = span_of(kind->suffixes), suffix;

	while (span_cut(&rest, " ", true, &suffix))
		if (span_is(suffix, name))
			return true;
	return false;
}

static void
use_prefixed(struct postconf *p, const struct kind *kind, struct span name)
{
	struct span rest = span_of(kind->suffixes), suffix;

	while (span_cut(&rest, " ", true, &suffix))
		postconf_use(p,
		    span_of(arena_printf(p->arena, "%.*s_%.*s", SPAN_ARG(name),
			SPAN_ARG(suffix))));
}

struct file_check {
	const struct kind *kind;
	const char *table;
};

static void
check_setting(void *with, const char *name, const char *raw, const char *origin)
{
	const struct file_check *f = with;

	(void)origin;
	if (!has_suffix(f->kind, name))
		log_warning("%s: unused parameter: %s=%s", f->table, name, raw);
}

static bool
looked_at(struct postconf *p, const char *table)
{
	struct table_file *f = p->table_files;

	while (f != NULL && strcmp(f->table, table) != 0)
		f = f->next;
	if (f != NULL)
		return true;
	f = arena_alloc(p->arena, sizeof(*f));
	*f = (struct table_file){ .next = p->table_files, .table = table };
	p->table_files = f;
	return false;
}

/* "PATH: line 3: what is wrong" of the reader, as postconf says it. */
static void
complain(const char *path, const struct buf *lines, bool fatal_ones)
{
	struct span rest = buf_span(lines), line;
	size_t skip = strlen(path) + 1;

	while (span_cut(&rest, "\n", true, &line)) {
		line = span_skip(line, skip);
		if (fatal_ones)
			fatal_status(1, "%s,%.*s", path, SPAN_ARG(line));
		log_warning("%s,%.*s", path, SPAN_ARG(line));
	}
}

static void
check_settings(struct file_check *f, const char *path, struct span text)
{
	struct buf errors = BUF_INIT(16 << 20), warnings = BUF_INIT(16 << 20);
	struct conf *settings = conf_new("");

	conf_parse(settings, text, path, &errors, &warnings);
	complain(path, &warnings, false);
	complain(path, &errors, true);
	conf_each(settings, check_setting, f);
	conf_free(&settings);
	buf_fini(&errors);
	buf_fini(&warnings);
}

/* A file that cannot be read is for "posthaste check" to refuse. */
static void
check_file(struct postconf *p, const struct kind *kind, const char *path)
{
	struct file_check f = { kind,
		arena_printf(p->arena, "%s:%s", kind->type, path) };
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX), error = BUF_INIT(4096);
	struct stat st;

	if (looked_at(p, f.table))
		return;
	if (stat(path, &st) != 0 || access(path, R_OK) != 0)
		log_warning("open \"%s\" configuration \"%s\": %s", kind->type,
		    path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		log_warning("open \"%s\" configuration \"%s\": not a regular "
			    "file",
		    kind->type, path);
	else if (!logical_file_read(path, &text, &error))
		log_warning("%.*s", SPAN_ARG(span_trim(buf_span(&error))));
	else
		check_settings(&f, path, buf_span(&text));
	buf_fini(&text);
	buf_fini(&error);
}

/* The next word: between commas and blanks, braces kept whole. */
static bool
next_word(struct span *rest, struct span *word)
{
	size_t n = 0, level = 0;

	while (rest->n > 0 && strchr(", \t\r\n", rest->p[0]) != NULL)
		*rest = span_skip(*rest, 1);
	for (; n < rest->n; n++) {
		if (rest->p[n] == '{')
			level++;
		else if (rest->p[n] == '}' && level > 0)
			level--;
		else if (level == 0 && strchr(", \t\r\n", rest->p[n]) != NULL)
			break;
	}
	*word = span_take(*rest, n);
	*rest = span_skip(*rest, n);
	return n > 0;
}

struct search {
	struct postconf *p;
	const char *place; /* where the value stands */
	int depth;
};

static void use_words(struct search *s, struct span text);

/* "{a b}": what stands in the braces. */
static void
use_list(struct search *s, struct span list)
{
	size_t n = 0, level = 0;

	for (; n < list.n; n++) {
		if (list.p[n] == '{')
			level++;
		else if (list.p[n] == '}' && --level == 0)
			break;
	}
	if (n == list.n)
		log_warning("%s: missing '}' in \"%.*s\"", s->place,
		    SPAN_ARG(list));
	else if (n + 1 < list.n)
		log_warning("%s: syntax error after '}' in \"%.*s\"", s->place,
		    SPAN_ARG(list));
	if (++s->depth < CONF_DEPTH_MAX)
		use_words(s, span_skip(span_take(list, n), 1));
	s->depth--;
}

/* "type:name", or a list of such in braces. */
static void
use_word(struct search *s, struct span word)
{
	size_t at = span_find(word, ':');
	struct span type = span_take(word, at), name = span_skip(word, at + 1);
	const struct kind *kind;

	while (span_is(type, "proxy") || span_is(type, "debug")) {
		word = name;
		if (span_is(type, "proxy") && span_starts(word, "{"))
			return; /* it names one table, not a list */
		at = span_find(word, ':');
		type = span_take(word, at);
		name = span_skip(word, at + 1);
	}
	if (word.n > 0 && word.p[0] == '{')
		name = word;
	kind = find_kind(type);
	if (name.n > 0 && name.p[0] == '{')
		use_list(s, name);
	else if (kind == NULL || name.n == 0)
		return;
	else if (name.p[0] == '/' || name.p[0] == '.')
		check_file(s->p, kind, arena_span(s->p->arena, name));
	else
		use_prefixed(s->p, kind, name);
}

static void
use_words(struct search *s, struct span text)
{
	struct span word;

	while (next_word(&text, &word))
		use_word(s, word);
}

void
postconf_use_tables(struct postconf *p, const char *place, const char *value)
{
	struct search s = { p, place, 0 };

	use_words(&s, span_of(value));
}
