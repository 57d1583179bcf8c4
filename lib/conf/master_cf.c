/* SPDX-License-Identifier: ISC */
#include "lib/conf/master_cf.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/conf/logical_lines.h"

enum {
	ENTRIES_MAX = 4096,
	WORDS_MAX = 4096, /* words after the command, in one line */
};

static const char *const type_names[] = {
	[SERVICE_INET] = "inet",
	[SERVICE_UNIX] = "unix",
	[SERVICE_FIFO] = "fifo",
	[SERVICE_PASS] = "pass",
	[SERVICE_UNIX_DGRAM] = "unix-dgram",
};

const char *
service_type_name(enum service_type t)
{
	ensure((size_t)t < sizeof(type_names) / sizeof(type_names[0]));
	return type_names[t];
}

struct parsing {
	struct conf *conf;
	const char *file;
	int line;
	struct span rest; /* of the line */
	struct buf *errors;
	struct buf *warnings;
};

static bool wrong(const struct parsing *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool
wrong(const struct parsing *p, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	buf_printf(p->errors, "%s: line %d: %s\n", p->file, p->line, text);
	return false;
}

/* The next word; { } text counts as one, *braced says that it was such. */
static bool
next_word(struct parsing *p, struct span *word, bool *braced)
{
	struct span s = span_trim(p->rest);
	size_t n = 0, level = 0;

	*braced = s.n > 0 && s.p[0] == '{';
	for (; n < s.n; n++) {
		if (*braced && s.p[n] == '{')
			level++;
		else if (*braced && s.p[n] == '}' && --level == 0)
			break;
		else if (!*braced && isspace((unsigned char)s.p[n]))
			break;
	}
	if (n == 0)
		return false;
	if (*braced && n == s.n)
		return wrong(p, "\"}\" is missing");
	*word = *braced ? span_trim((struct span){ s.p + 1, n - 1 }) :
			  span_take(s, n);
	p->rest = span_skip(s, n + (*braced ? 1 : 0));
	return true;
}

static bool
column(struct parsing *p, const char *what, struct span *word)
{
	bool braced;

	if (next_word(p, word, &braced) && !braced)
		return true;
	return wrong(p, "the column \"%s\" is missing", what);
}

static bool
yes_or_no(struct parsing *p, const char *what, bool fallback, bool *out)
{
	struct span word;

	if (!column(p, what, &word))
		return false;
	if (span_is(word, "-"))
		*out = fallback;
	else if (span_is(word, "y") || span_is(word, "n"))
		*out = word.p[0] == 'y';
	else
		return wrong(p,
		    "the column \"%s\" holds \"%.*s\"; y, n or - "
		    "is wanted",
		    what, SPAN_ARG(span_take(word, 40)));
	return true;
}

static bool
type_column(struct parsing *p, struct span name, enum service_type *type)
{
	const char *hint = span_starts(name, "-o") ?
	    " (options of the line above begin with a blank)" :
	    "";
	struct span word;

	if (!column(p, "type", &word))
		return false;
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (span_is(word, type_names[i])) {
			*type = (enum service_type)i;
			return true;
		}
	return wrong(p,
	    "no service type \"%.*s\": inet, unix, fifo, pass or "
	    "unix-dgram is wanted%s",
	    SPAN_ARG(span_take(word, 40)), hint);
}

static bool
number_column(struct parsing *p, const char *what, struct span word,
    uint64_t max, int64_t *out)
{
	uint64_t value;

	if (!span_u64(word, max, &value))
		return wrong(p,
		    "the column \"%s\" holds \"%.*s\"; a number "
		    "or - is wanted",
		    what, SPAN_ARG(span_take(word, 40)));
	*out = (int64_t)value;
	return true;
}

static bool
wakeup_column(struct parsing *p, struct master_entry *e)
{
	struct span word;

	if (!column(p, "wakeup", &word))
		return false;
	if (span_is(word, "-"))
		return true;
	if (word.p[word.n - 1] == '?') {
		e->wakeup_if_used = true;
		word.n--;
	}
	return number_column(p, "wakeup", word, 1000000000, &e->wakeup_s);
}

static bool
maxproc_column(struct parsing *p, struct master_entry *e)
{
	const char *limit = conf_value(p->conf, "default_process_limit");
	struct span word;
	uint64_t value;

	if (!column(p, "maxproc", &word))
		return false;
	if (!span_is(word, "-"))
		return number_column(p, "maxproc", word, 1000000, &e->maxproc);
	e->maxproc =
	    span_u64(span_of(limit), 1000000, &value) ? (int64_t)value : 100;
	return true;
}

static void
append(char ***list, size_t *count, struct span text)
{
	*list = mem_resize(*list, (*count + 2) * sizeof(**list));
	(*list)[(*count)++] = mem_span_text(text);
	(*list)[*count] = NULL;
}

static bool
override(struct parsing *p, struct master_entry *e, size_t *count,
    struct span text)
{
	size_t at = span_find(text, '=');
	struct span name = span_trim(span_take(text, at));
	char *joined;

	if (at == text.n || name.n == 0)
		return wrong(p,
		    "-o %.*s: name=value is wanted, without blanks or as "
		    "{ name = value }",
		    SPAN_ARG(span_take(text, 80)));
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '_')
			return wrong(p, "-o %.*s: not the name of a setting",
			    SPAN_ARG(span_take(name, 80)));
	joined = mem_printf("%.*s=%.*s", SPAN_ARG(name),
	    SPAN_ARG(span_trim(span_skip(text, at + 1))));
	append(&e->overrides, count, span_of(joined));
	free(joined);
	return true;
}

/*
 * The words behind the command: -o overrides, and all others. As in Postfix the
 * first word that is no option ends the options: what stands behind it is of
 * others, such as "argv=/usr/sbin/sendmail -oi" of pipe(8).
 */
static bool
words(struct parsing *p, struct master_entry *e)
{
	size_t arguments = 0, overrides = 0;
	struct span word;
	bool braced, options = true;
	size_t errors = p->errors->n;

	while (next_word(p, &word, &braced)) {
		if (arguments + overrides >= WORDS_MAX)
			return wrong(p, "too many words");
		options =
		    options && span_starts(word, "-") && !span_is(word, "--");
		if (!options || braced) {
			append(&e->arguments, &arguments, word);
		} else if (span_is(word, "-o")) {
			if (!next_word(p, &word, &braced))
				return wrong(p,
				    "name=value is missing behind "
				    "-o");
			if (!override(p, e, &overrides, word))
				return false;
		} else if (span_starts(word, "-o")) {
			if (!override(p, e, &overrides, span_skip(word, 2)))
				return false;
		} else {
			append(&e->arguments, &arguments, word);
		}
	}
	return p->errors->n == errors;
}

static void
entry_fini(struct master_entry *e)
{
	free(e->name);
	free(e->command);
	for (char **a = e->arguments; a != NULL && *a != NULL; a++)
		free(*a);
	free(e->arguments);
	for (char **o = e->overrides; o != NULL && *o != NULL; o++)
		free(*o);
	free(e->overrides);
	*e = (struct master_entry){ 0 };
}

static bool
printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isgraph((unsigned char)s.p[i]))
			return false;
	return s.n > 0 && s.n <= 200;
}

static bool
file_name(struct span s)
{
	return span_find(s, '/') == s.n && s.p[0] != '.' && s.p[0] != '-';
}

/* Names become socket names below queue_directory: no way out of there. */
static bool
name_valid(enum service_type type, struct span name)
{
	if (!printable(name))
		return false;
	return type == SERVICE_INET || file_name(name);
}

/* Only a file name below daemon_directory. */
static bool
command_valid(struct span s)
{
	return printable(s) && file_name(s);
}

static bool
parse_entry(struct parsing *p, struct master_entry *e)
{
	struct span word;

	if (!column(p, "service", &word))
		return false;
	e->line = p->line;
	e->name = mem_span_text(word);
	if (!type_column(p, word, &e->type))
		return false;
	if (!name_valid(e->type, word))
		return wrong(p, "\"%.*s\" cannot be the name of a service",
		    SPAN_ARG(span_take(word, 80)));
	if (!yes_or_no(p, "private", e->type != SERVICE_INET,
		&e->private_service))
		return false;
	if (e->type == SERVICE_INET && e->private_service)
		return wrong(p, "an inet service cannot be private");
	if (!yes_or_no(p, "unpriv", true, &e->unprivileged) ||
	    !yes_or_no(p, "chroot", false, &e->chroot) ||
	    !wakeup_column(p, e) || !maxproc_column(p, e) ||
	    !column(p, "command", &word))
		return false;
	if (!command_valid(word))
		return wrong(p,
		    "the command \"%.*s\" is not the name of a "
		    "program in daemon_directory",
		    SPAN_ARG(span_take(word, 80)));
	e->command = mem_span_text(word);
	e->arguments = mem_array(1, sizeof(char *));
	e->overrides = mem_array(1, sizeof(char *));
	return words(p, e);
}

/* One item of master_service_disable. */
struct disable_item {
	struct span name; /* empty: all of the type */
	struct span type;
	bool negated;
};

static bool
is_type(struct span s)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (span_is(s, type_names[i]))
			return true;
	return false;
}

/* "type", "name/type", "name.type" as Postfix 2.6 had it; "!" before them. */
static bool
read_item(struct span text, struct disable_item *item)
{
	size_t slash;

	*item = (struct disable_item){ 0 };
	if (text.n > 0 && text.p[0] == '!') {
		item->negated = true;
		text = span_skip(text, 1);
	}
	item->type = text;
	if (is_type(text))
		return true;
	slash = span_rfind(text, '/');
	if (slash == text.n)
		slash = span_rfind(text, '.');
	item->name = span_take(text, slash);
	item->type = span_skip(text, slash + 1);
	return item->name.n > 0 && span_find(item->name, '/') == item->name.n &&
	    is_type(item->type);
}

static bool
item_matches(const struct disable_item *item, const struct master_entry *e)
{
	return span_is(item->type, service_type_name(e->type)) &&
	    (item->name.n == 0 || span_is(item->name, e->name));
}

static bool
disabled(const char *list, const struct master_entry *e)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item)) {
		struct disable_item i;

		if (read_item(item, &i) && item_matches(&i, e))
			return !i.negated;
	}
	return false;
}

/*
 * What is not understood would leave open what somebody wants closed; so
 * would a name that no service has.
 */
static void
check_disabled(struct conf *c, const char *list, const struct master_cf *m,
    struct buf *errors, struct buf *warnings)
{
	struct span rest = span_of(list), text;

	while (conf_list_next(&rest, &text)) {
		const char *origin = conf_origin(c, "master_service_disable");
		struct disable_item item;
		bool used = false;

		if (!read_item(text, &item)) {
			buf_printf(errors,
			    "%s: master_service_disable: \"%.*s\" is neither "
			    "a type of services nor name/type; there are no "
			    "patterns, tables or files here\n",
			    origin, SPAN_ARG(span_take(text, 80)));
			continue;
		}
		for (size_t i = 0; i < m->count; i++)
			used |= item_matches(&item, &m->entries[i]);
		if (!used && item.name.n > 0 && warnings != NULL)
			buf_printf(warnings,
			    "%s: master_service_disable: master.cf has no "
			    "service \"%.*s\"\n",
			    origin, SPAN_ARG(span_take(text, 80)));
	}
}

static void
store(struct parsing *p, struct master_cf *m, struct master_entry *e)
{
	for (size_t i = 0; i < m->count; i++) {
		struct master_entry *old = &m->entries[i];

		if (old->type != e->type || strcmp(old->name, e->name) != 0)
			continue;
		if (p->warnings != NULL)
			buf_printf(p->warnings,
			    "%s: line %d: replaces the "
			    "service %s/%s of line %d\n",
			    p->file, p->line, e->name,
			    service_type_name(e->type), old->line);
		entry_fini(old);
		*old = *e;
		return;
	}
	m->entries = mem_resize(m->entries, (m->count + 1) * sizeof(*e));
	m->entries[m->count++] = *e;
}

struct master_cf *
master_cf_parse(struct span text, const char *file, struct conf *c,
    struct buf *errors, struct buf *warnings)
{
	struct master_cf *m = mem_new(sizeof(*m));
	struct parsing p = { .conf = c,
		.file = file,
		.errors = errors,
		.warnings = warnings };
	const char *disable = conf_value(c, "master_service_disable");
	struct logical_lines l;

	logical_lines_init(&l, text, file);
	while (logical_lines_next(&l, &p.rest, errors)) {
		struct master_entry e = { 0 };

		p.line = l.number;
		if (m->count >= ENTRIES_MAX) {
			wrong(&p, "more than %d services", ENTRIES_MAX);
			break;
		}
		if (parse_entry(&p, &e)) {
			e.disabled = disabled(disable ? disable : "", &e);
			store(&p, m, &e);
		} else {
			entry_fini(&e);
		}
	}
	logical_lines_fini(&l);
	check_disabled(c, disable ? disable : "", m, errors, warnings);
	return m;
}

struct master_cf *
master_cf_read(const char *directory, struct conf *c, struct buf *errors,
    struct buf *warnings)
{
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX);
	struct master_cf *m = NULL;
	char *path = mem_printf("%s/master.cf", directory);

	if (logical_file_read(path, &text, errors))
		m = master_cf_parse(buf_span(&text), "master.cf", c, errors,
		    warnings);
	buf_fini(&text);
	free(path);
	return m;
}

void
master_cf_free(struct master_cf **m)
{
	if (*m == NULL)
		return;
	for (size_t i = 0; i < (*m)->count; i++)
		entry_fini(&(*m)->entries[i]);
	free((*m)->entries);
	free(*m);
	*m = NULL;
}

void
master_cf_mention(const struct master_cf *m, struct conf *c)
{
	for (size_t i = 0; i < m->count; i++) {
		conf_service(c, m->entries[i].name, m->entries[i].command);
		for (char **o = m->entries[i].overrides; *o != NULL; o++)
			conf_mention(c, *o);
		for (char **a = m->entries[i].arguments; *a != NULL; a++)
			conf_mention(c, *a);
	}
}
