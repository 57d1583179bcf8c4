/* SPDX-License-Identifier: ISC */
/* Tables made, listed, and rid of entries. */
#include "tools/table_tool.h"

#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"

/* Root's own groups, while it acts as somebody else. */
static struct {
	gid_t groups[NGROUPS_MAX];
	int count;
} own;

/*
 * Whose rights suffice: those of the source's owner; without a source of the
 * database's; without either of the folder's.
 */
static bool
find_owner(const struct table_build *b, struct stat *st)
{
	char *database = mem_printf("%s%s", b->path, table_suffix(b->type));
	char *folder = mem_text(b->path);
	char *slash = strrchr(folder, '/');
	bool found;

	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	found = stat(b->path, st) == 0 || lstat(database, st) == 0 ||
	    stat(slash != NULL ? folder : ".", st) == 0;
	free(database);
	free(folder);
	return found;
}

/* Becomes the owner for a while; true when it did. */
static bool
become_owner(const struct table_build *b, bool keep_root)
{
	struct stat st;

	if (keep_root || geteuid() != 0 || !find_owner(b, &st) ||
	    st.st_uid == 0)
		return false;
	own.count = getgroups(NGROUPS_MAX, own.groups);
	if (own.count < 0 || setgroups(1, &st.st_gid) < 0 ||
	    setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0)
		fatal_status(TABLE_TOOL_NONE, "%s: cannot become its owner",
		    b->path);
	return true;
}

static void
become_root(bool became)
{
	if (became &&
	    (seteuid(0) < 0 || setegid(getgid()) < 0 ||
		setgroups((size_t)own.count, own.groups) < 0))
		fatal_status(TABLE_TOOL_NONE, "cannot become root again");
}

bool
table_tool_build(const struct table_build *b, bool keep_root, struct buf *error)
{
	bool became = become_owner(b, keep_root);
	bool good = table_build(b, error);

	become_root(became);
	return good;
}

/* The keys to delete: the one given, or all lines of standard input. */
static size_t
keys_to_delete(const struct table_wishes *w, struct span **keys)
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
	while (table_tool_line(&line, &room, &key)) {
		*keys = mem_resize(*keys, (count + 1) * sizeof(**keys));
		(*keys)[count++] = (struct span){ mem_span_text(key), key.n };
	}
	free(line);
	return count;
}

/* What is said of types that no database is made for. */
static noreturn void
refuse(const char *spec, const char *type, const char *operation)
{
	if (!table_type_known(span_of(type)))
		fatal_status(TABLE_TOOL_NONE, "unsupported dictionary type: %s",
		    type);
	if (operation == NULL)
		fatal_status(TABLE_TOOL_NONE,
		    "unsupported dictionary type: %s does not support "
		    "bulk-mode creation.",
		    type);
	fatal_status(TABLE_TOOL_NONE, "table %s: %s operation is not supported",
	    spec, operation);
}

/* Splits "type:path". */
static struct table_build
build_of(const struct table_wishes *w, const char *spec, const char *operation)
{
	struct table_build b = w->build;
	const char *colon = strchr(spec, ':');

	b.type = mem_span_text((struct span){ spec, (size_t)(colon - spec) });
	b.path = colon + 1;
	if (*b.path == '\0' || *b.type == '\0')
		fatal_status(TABLE_TOOL_NONE,
		    "open dictionary: expecting \"type:name\" form instead "
		    "of \"%s\"",
		    spec);
	if (!table_can_build(b.type) &&
	    !(w->sequence && strcmp(b.type, "texthash") == 0))
		refuse(spec, b.type, operation);
	return b;
}

int
table_tool_remove(const struct table_wishes *w, char **specs, size_t count)
{
	struct span *keys;
	size_t key_count = keys_to_delete(w, &keys);
	struct buf error = BUF_INIT(4096);
	size_t all = 0;

	for (size_t i = 0; i < count; i++) {
		struct table_build b = build_of(w, specs[i], "delete");
		bool became = become_owner(&b, w->keep_root);
		size_t deleted = 0;

		if (!table_build_delete(&b, keys, key_count, &deleted, &error))
			fatal_status(TABLE_TOOL_NONE, "%s", buf_text(&error));
		become_root(became);
		all += deleted;
		if (all > 0 && key_count == 1)
			break;
	}
	return all > 0 ? EXIT_SUCCESS : TABLE_TOOL_NONE;
}

struct listing {
	const struct table_wishes *w;
	const char *spec;
};

static void
list_entry(void *with, struct span key, struct span value)
{
	const struct listing *l = with;

	if (!table_tool_print(l->w, key, value))
		log_warning("table %s: key %.*s: malformed BASE64 value: %.*s",
		    l->spec, SPAN_ARG(key), SPAN_ARG(value));
}

int
table_tool_list(const struct table_wishes *w, char **specs, size_t count)
{
	struct buf error = BUF_INIT(4096);

	for (size_t i = 0; i < count; i++) {
		struct table_build b = build_of(w, specs[i], "sequence");

		struct listing l = { w, specs[i] };

		if (!table_build_each(&b, list_entry, &l, &error))
			fatal_status(TABLE_TOOL_NONE, "%s", buf_text(&error));
	}
	table_tool_flush();
	return EXIT_SUCCESS;
}

int
table_tool_make(const struct table_wishes *w, char **specs, size_t count)
{
	struct buf error = BUF_INIT(4096);

	for (size_t i = 0; i < count; i++) {
		struct table_build b = build_of(w, specs[i], NULL);

		if (!table_tool_build(&b, w->keep_root, &error))
			fatal_status(TABLE_TOOL_NONE, "%s", buf_text(&error));
	}
	buf_fini(&error);
	return EXIT_SUCCESS;
}
