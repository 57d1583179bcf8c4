/* SPDX-License-Identifier: ISC */
#include "tools/table_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/table.h"

/* As in Postfix: 1 for "not found" and for every failure. */
enum { EXIT_NONE = 1 };

struct wishes {
	enum table_tool_kind kind;
	const char *config; /* -c */
	const char *query; /* -q */
	const char *remove; /* -d */
	bool sequence; /* -s */
	bool keep_root; /* -o */
	struct table_build build; /* path and type differ for each table */
};

struct conf *
table_tool_settings(const char *directory)
{
	struct buf errors = BUF_INIT(1 << 16);
	struct conf *c =
	    conf_read(conf_find_directory(directory), &errors, NULL);

	if (c == NULL)
		fatal_lines(EXIT_NONE, buf_text(&errors));
	buf_fini(&errors);
	return c;
}

/* Becomes the owner of the source for a while; true when it did. */
static bool
become_owner(const char *path, bool keep_root)
{
	struct stat st;

	if (keep_root || geteuid() != 0 || stat(path, &st) < 0 ||
	    st.st_uid == 0)
		return false;
	if (setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0)
		fatal_status(EXIT_NONE, "%s: cannot become its owner", path);
	return true;
}

static void
become_root(bool became)
{
	if (became && (seteuid(0) < 0 || setegid(getgid()) < 0))
		fatal_status(EXIT_NONE, "cannot become root again");
}

bool
table_tool_build(const struct table_build *b, bool keep_root)
{
	struct buf error = BUF_INIT(4096);
	bool became = become_owner(b->path, keep_root);
	bool good = table_build(b, &error);

	become_root(became);
	if (!good)
		log_error("%s", buf_text(&error));
	buf_fini(&error);
	return good;
}

static struct table *
open_table(const struct wishes *w, const char *spec)
{
	struct buf error = BUF_INIT(4096);
	unsigned int flags = (w->build.fold ? 0 : TABLE_KEEP_CASE) |
	    (w->build.ascii ? TABLE_ASCII : 0) |
	    (w->kind == TABLE_TOOL_ALIAS ? TABLE_ALIASES : 0);
	struct table *t = table_open_flags(span_of(spec), flags, &error);

	if (t == NULL)
		fatal_status(EXIT_NONE, "%s", buf_text(&error));
	buf_fini(&error);
	return t;
}

/* True when the key is in one of the tables; with_key: "key<tab>value". */
static bool
query_key(struct table **tables, size_t count, struct span key, bool with_key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = TABLE_NONE;

	for (size_t i = 0; i < count && r == TABLE_NONE; i++) {
		r = table_lookup(tables[i], key, &value);
		if (r == TABLE_AGAIN || r == TABLE_BROKEN)
			fatal_status(EXIT_NONE, "table %s: query error: %s",
			    table_name(tables[i]), buf_text(&value));
		if (r == TABLE_FOUND && value.n == 0)
			log_warning("table %s: key %.*s: empty string result "
				    "is not allowed",
			    table_name(tables[i]), SPAN_ARG(key));
	}
	if (r == TABLE_FOUND && with_key)
		printf("%.*s\t", SPAN_ARG(key));
	if (r == TABLE_FOUND)
		printf("%s\n", buf_text(&value));
	buf_fini(&value);
	return r == TABLE_FOUND;
}

/* A line of standard input without its end; false at the end. */
static bool
input_line(char **line, size_t *room, struct span *text)
{
	ssize_t n = getline(line, room, stdin);

	if (n < 0)
		return false;
	*text = (struct span){ *line, (size_t)n };
	if (n > 0 && text->p[n - 1] == '\n')
		text->n--;
	return true;
}

static int
query(const struct wishes *w, char **specs, size_t count)
{
	struct table **tables = mem_array(count, sizeof(*tables));
	char *line = NULL;
	size_t room = 0;
	struct span key;
	bool found = false;

	for (size_t i = 0; i < count; i++)
		tables[i] = open_table(w, specs[i]);
	if (strcmp(w->query, "-") != 0)
		found = query_key(tables, count, span_of(w->query), false);
	else
		while (input_line(&line, &room, &key))
			found |= query_key(tables, count, key, true);
	if (fflush(stdout) != 0 || ferror(stdout))
		fatal_status(EXIT_NONE, "write error");
	free(line);
	for (size_t i = 0; i < count; i++)
		table_free(&tables[i]);
	free(tables);
	return found ? EXIT_SUCCESS : EXIT_NONE;
}

/* The keys to delete: the one given, or all lines of standard input. */
static size_t
keys_to_delete(const struct wishes *w, struct span **keys)
{
	char *line = NULL;
	size_t room = 0;
	size_t count = 0;
	struct span key;

	*keys = NULL;
	if (strcmp(w->remove, "-") != 0) {
		*keys = mem_new(sizeof(**keys));
		**keys = span_of(w->remove);
		return 1;
	}
	while (input_line(&line, &room, &key)) {
		*keys = mem_resize(*keys, (count + 1) * sizeof(**keys));
		(*keys)[count++] = (struct span){ mem_span_text(key), key.n };
	}
	free(line);
	return count;
}

/* Splits "type:path"; the type's default is default_database_type. */
static struct table_build
build_of(const struct wishes *w, const char *spec)
{
	struct table_build b = w->build;
	const char *colon = strchr(spec, ':');

	b.type = mem_span_text((struct span){ spec, (size_t)(colon - spec) });
	b.path = colon + 1;
	if (!table_can_build(b.type) &&
	    !(w->sequence && strcmp(b.type, "texthash") == 0))
		fatal_status(EXIT_NONE,
		    "unsupported map type for this operation: %s", b.type);
	if (*b.path == '\0')
		fatal_status(EXIT_NONE, "%s: a file name is wanted", spec);
	return b;
}

static int
remove_keys(const struct wishes *w, char **specs, size_t count)
{
	struct span *keys;
	size_t key_count = keys_to_delete(w, &keys);
	struct buf error = BUF_INIT(4096);
	size_t all = 0;

	for (size_t i = 0; i < count; i++) {
		struct table_build b = build_of(w, specs[i]);
		bool became = become_owner(b.path, w->keep_root);
		size_t deleted = 0;

		if (!table_build_delete(&b, keys, key_count, &deleted, &error))
			fatal_status(EXIT_NONE, "%s", buf_text(&error));
		become_root(became);
		all += deleted;
		if (all > 0 && key_count == 1)
			break;
	}
	return all > 0 ? EXIT_SUCCESS : EXIT_NONE;
}

static void
print_entry(void *with, struct span key, struct span value)
{
	(void)with;
	printf("%.*s\t%.*s\n", SPAN_ARG(key), SPAN_ARG(value));
}

static int
list(const struct wishes *w, char **specs, size_t count)
{
	struct buf error = BUF_INIT(4096);

	for (size_t i = 0; i < count; i++) {
		struct table_build b = build_of(w, specs[i]);

		if (!table_build_each(&b, print_entry, NULL, &error))
			fatal_status(EXIT_NONE, "%s", buf_text(&error));
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		fatal_status(EXIT_NONE, "write error");
	return EXIT_SUCCESS;
}

static int
build(const struct wishes *w, char **specs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct table_build b = build_of(w, specs[i]);

		if (!table_tool_build(&b, w->keep_root))
			return EXIT_NONE;
	}
	return EXIT_SUCCESS;
}

static noreturn void
usage(const char *name)
{
	fatal_status(EXIT_NONE,
	    "usage: %s [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] "
	    "[map_type:]file...",
	    name);
}

static void
parse_option(struct wishes *w, int option, const char *name)
{
	switch (option) {
	case 'c':
		w->config = optarg;
		break;
	case 'd':
		w->remove = optarg;
		break;
	case 'f':
		w->build.fold = false;
		break;
	case 'i':
		w->build.add = true;
		w->build.from_input = true;
		break;
	case 'N':
		w->build.null_bytes = true;
		break;
	case 'n':
		w->build.null_bytes = false;
		break;
	case 'o':
		w->keep_root = true;
		break;
	case 'p':
		w->build.plain_mode = true;
		break;
	case 'q':
		w->query = optarg;
		break;
	case 'r':
		w->build.replace = true;
		break;
	case 's':
		w->sequence = true;
		break;
	case 'u':
		w->build.ascii = true;
		break;
	case 'v':
		log_threshold(LEVEL_DEBUG);
		break;
	case 'w':
		w->build.quiet = true;
		break;
	default:
		usage(name);
	}
}

/* Gives each table that is named without a type the default one. */
static void
complete_specs(const struct wishes *w, char **specs, size_t count)
{
	struct conf *c = table_tool_settings(w->config);
	const char *type = conf_value(c, "default_database_type");

	for (size_t i = 0; i < count; i++)
		if (strchr(specs[i], ':') == NULL)
			specs[i] = mem_printf("%s:%s", type, specs[i]);
	conf_free(&c);
}

int
table_tool_main(int argc, char **argv, enum table_tool_kind kind)
{
	const char *name = kind == TABLE_TOOL_ALIAS ? "postalias" : "postmap";
	struct wishes w = {
		.kind = kind,
		.build = { .fold = true, .alias = kind == TABLE_TOOL_ALIAS },
	};
	char **specs;
	size_t count;
	int option;

	log_open_stderr(name);
	umask(022);
	while ((option = getopt(argc, argv, "Nc:d:finopq:rsuvw")) != -1)
		parse_option(&w, option, name);
	specs = argv + optind;
	count = (size_t)(argc - optind);
	if (count == 0 ||
	    (w.query != NULL) + (w.remove != NULL) + w.sequence > 1)
		usage(name);
	complete_specs(&w, specs, count);
	if (w.query != NULL)
		return query(&w, specs, count);
	if (w.remove != NULL)
		return remove_keys(&w, specs, count);
	if (w.sequence)
		return list(&w, specs, count);
	return build(&w, specs, count);
}
