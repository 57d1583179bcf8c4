/* SPDX-License-Identifier: ISC */
#include "lib/table/table_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/table/module_load.h"
#include "lib/table/network.h"
#include "lib/table/table.h"
#include "lib/table/table_check_servers.h"
#include "lib/table/table_settings.h"
#include "lib/table/words.h"

/* One setting under check. */
struct checking {
	struct conf *c;
	const char *name;
	struct buf *errors;
	struct buf *warnings;
	bool fine;
};

/* Types whose name is a file's, and what stands behind that. */
static const struct {
	const char *type;
	const char *suffix; /* NULL: the file itself */
	bool or_source; /* with a suffix: the file without it will do */
	bool opened; /* cheap: opened later, with few rights, to be judged */
} files[] = {
	{ "btree", ".cdb", true, false },
	{ "cdb", ".cdb", false, true },
	{ "cidr", NULL, false, true },
	{ "hash", ".cdb", true, false },
	{ "lmdb", ".lmdb", true, true },
	{ "pcre", NULL, false, true },
	{ "regexp", NULL, false, true },
	{ "texthash", NULL, false, false },
};

enum {
	FILES = sizeof(files) / sizeof(files[0]),
	DEPTH_MAX = 8,
	SOURCE_MAX = 4 << 20, /* bytes of a text that is quickly read */
};

static void
wrong(struct checking *k, const char *text)
{
	buf_printf(k->errors, "%s: %s: %s\n", conf_origin(k->c, k->name),
	    k->name, text);
	k->fine = false;
}

static void
warn(struct checking *k, const char *path, const char *text)
{
	if (k->warnings != NULL)
		buf_printf(k->warnings, "%s: %s: %s: %s\n",
		    conf_origin(k->c, k->name), k->name, path, text);
}

static bool
older(const char *path, const char *source)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(source, &b) == 0 &&
	    (a.st_mtim.tv_sec < b.st_mtim.tv_sec ||
		(a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
		    a.st_mtim.tv_nsec < b.st_mtim.tv_nsec));
}

/* A file of patterns: without it nothing can be decided. */
static void
check_patterns(struct checking *k, struct span word)
{
	char *path = mem_span_text(word);
	struct buf text = BUF_INIT(4096);

	if (access(path, F_OK) < 0) {
		buf_printf(&text, "%s: %s", path, strerror(errno));
		wrong(k, buf_text(&text));
	}
	buf_fini(&text);
	free(path);
}

/* A Berkeley DB alone: what somebody who came from Postfix may have. */
static bool
is_foreign(struct checking *k, size_t i, const char *source)
{
	char *foreign = mem_printf("%s.db", source);
	bool is = files[i].or_source && access(foreign, F_OK) == 0;

	if (is)
		warn(k, foreign,
		    "a Berkeley DB file cannot be read: its source text is "
		    "wanted beside it (\"postmap -s\" of the Postfix that "
		    "made it prints that)");
	free(foreign);
	return is;
}

/* What is wrong, and what to do about it. */
static void
warn_missing(struct checking *k, size_t i, int error, const char *path,
    const char *source)
{
	char *text = NULL;

	if (!files[i].or_source && files[i].suffix != NULL &&
	    access(source, F_OK) == 0)
		text = mem_printf("%s: \"postmap %s:%s\" makes it",
		    strerror(error), files[i].type, source);
	else
		text = mem_printf("%s: mail that needs this table waits",
		    strerror(error));
	warn(k, files[i].or_source ? source : path, text);
	free(text);
}

static void
warn_older(struct checking *k, size_t i, const char *path, const char *source)
{
	char *text = mem_printf("older than its source%s: run postmap %s:%s",
	    files[i].or_source ? ", which is read instead" : "", files[i].type,
	    source);

	warn(k, path, text);
	free(text);
}

static bool
quickly_read(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size <= SOURCE_MAX;
}

static void
check_file(struct checking *k, size_t i, struct span spec, struct span argument)
{
	bool text_counts = files[i].suffix == NULL;
	char *path = mem_printf("%.*s%s", SPAN_ARG(argument),
	    files[i].suffix ? files[i].suffix : "");
	char *source = mem_span_text(argument);

	if (argument.n == 0)
		wrong(k, "a file name is wanted behind the table's type");
	else if (access(path, F_OK) < 0 &&
	    (!files[i].or_source || access(source, F_OK) < 0)) {
		int error = errno;

		if (!is_foreign(k, i, source))
			warn_missing(k, i, error, path, source);
		text_counts = false;
	} else if (files[i].suffix != NULL && older(path, source)) {
		warn_older(k, i, path, source);
		text_counts = files[i].or_source;
	} else if (files[i].or_source) {
		text_counts = access(path, F_OK) < 0;
	}
	if (text_counts ? quickly_read(source) :
			  files[i].opened && access(path, F_OK) == 0)
		table_check_later(k->c, k->name, spec);
	free(path);
	free(source);
}

/* Types that are a text in the setting itself. */
static void
check_text(struct checking *k, struct span spec)
{
	struct buf error = BUF_INIT(4096);
	struct table *t = table_open(spec, &error);
	struct settings_told told;

	settings_told_init(&told);
	if (t == NULL)
		wrong(k, buf_text(&error));
	else if (table_check(t, &told) == TABLE_BROKEN)
		wrong(k, buf_text(&told.errors));
	settings_told_fini(&told);
	table_free(&t);
	buf_fini(&error);
}

/* Commands with rights that their caller lacks: they load no module. */
static bool
asked_by_set_gid_commands(const char *setting)
{
	static const char *const settings[] = { "authorized_flush_users",
		"authorized_mailq_users", "authorized_submit_users",
		"local_login_sender_maps" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strcmp(setting, settings[i]) == 0)
			return true;
	return false;
}

static void
refuse_module(struct checking *k, struct span type)
{
	struct buf text = BUF_INIT(1024);

	buf_printf(&text,
	    "tables of type %.*s are not available to set-gid commands, which "
	    "ask this: names or a table in a file are wanted",
	    SPAN_ARG(type));
	wrong(k, buf_text(&text));
	buf_fini(&text);
}

/* The file that says which server: without it there is nothing to try. */
static bool
has_settings(struct checking *k, struct span argument)
{
	char *path = mem_span_text(argument);
	bool missing = path[0] == '/' && access(path, F_OK) < 0;
	char *text;

	if (missing) {
		text = mem_printf("%s: mail that needs this table waits",
		    strerror(errno));
		warn(k, path, text);
		free(text);
	}
	free(path);
	return !missing;
}

static void
check_spec(struct checking *k, struct span spec, int depth)
{
	struct span type;
	struct span argument;
	struct span inner;
	struct span word;
	size_t i = 0;

	while (span_starts(spec, "proxy:"))
		spec = span_skip(spec, sizeof("proxy:") - 1);
	type = span_take(spec, span_find(spec, ':'));
	argument = span_skip(spec, type.n + 1);
	while (i < FILES && !span_is(type, files[i].type))
		i++;
	if (i < FILES && (argument.n == 0 || argument.p[0] != '{')) {
		check_file(k, i, spec, argument);
	} else if ((span_is(type, "unionmap") || span_is(type, "pipemap")) &&
	    depth < DEPTH_MAX && words_unbrace(argument, &inner)) {
		while (words_next(&inner, &word))
			check_spec(k, word, depth + 1);
	} else if (module_type(type) && asked_by_set_gid_commands(k->name)) {
		refuse_module(k, type);
	} else if (table_type_remote(type) &&
	    strcmp(k->name, "tls_server_sni_maps") == 0) {
		wrong(k,
		    "private keys are not asked of a server: a table in a "
		    "file is wanted");
	} else if (span_is(type, "memcache") ||
	    (table_type_remote(type) && has_settings(k, argument))) {
		table_check_later(k->c, k->name, spec);
	} else if (table_type_remote(type)) {
		; /* it was told */
	} else {
		check_text(k, spec);
	}
}

static bool
is_address(struct span word)
{
	struct network n;

	return word.p[0] == '[' ||
	    network_address(span_take(word, span_find(word, '/')), &n);
}

static void
check_setting(struct checking *k)
{
	struct span rest = span_of(conf_value(k->c, k->name));
	struct span name = span_of(k->name);
	struct span word;

	/* what a default borrows from another setting is told there */
	if (conf_raw(k->c, k->name) == NULL)
		return;
	while (words_next(&rest, &word)) {
		while (word.n > 1 && word.p[0] == '!')
			word = span_skip(word, 1);
		if (span_find(word, ':') < word.n && word.p[0] != '/' &&
		    !is_address(word)) {
			check_spec(k, word, 0);
		} else if (word.p[0] == '/' &&
		    !span_ends_nocase(name, "_maps")) {
			check_patterns(k, word);
		} else if (span_ends_nocase(name, "_maps")) {
			struct buf text = BUF_INIT(1024);

			buf_printf(&text,
			    "\"%.*s\" is no table: type:name is "
			    "wanted",
			    SPAN_ARG(word));
			wrong(k, buf_text(&text));
			buf_fini(&text);
		}
	}
}

/* The type that tables get which are named without one. */
static void
check_default_type(struct checking *k)
{
	const char *type;

	k->name = "default_database_type";
	type = conf_value(k->c, k->name);
	if (type != NULL && !table_can_build(type))
		wrong(k, "a type that postmap can build is wanted: hash, cdb");
}

bool
table_check_settings(struct conf *c, struct buf *errors, struct buf *warnings)
{
	struct checking k = { .c = c,
		.errors = errors,
		.warnings = warnings,
		.fine = true };

	for (size_t g = 0; param_groups[g] != NULL; g++) {
		for (size_t i = 0; i < param_groups[g]->count; i++) {
			const struct param *p = &param_groups[g]->params[i];

			k.name = p->name;
			if (p->type == PARAM_TABLES)
				check_setting(&k);
		}
	}
	check_default_type(&k);
	return k.fine;
}

bool
table_check_spec(struct conf *c, const char *setting, struct span spec,
    struct buf *errors, struct buf *warnings)
{
	struct checking k = { c, setting, errors, warnings, true };

	check_spec(&k, spec, 0);
	return k.fine;
}
