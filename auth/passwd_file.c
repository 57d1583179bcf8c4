/* SPDX-License-Identifier: ISC */
#include "auth/passwd_file.h"

#include <stdlib.h>
#include <string.h>

#include "auth/watched_file.h"
#include "lib/base/buf.h"
#include "lib/base/hash_table.h"
#include "lib/log/log.h"

enum { LOOK_AGAIN_MS = 1000, COMPLAINTS_MAX = 10 };

struct node {
	struct passwd_entry entry;
	UT_hash_handle hh;
};

struct passwd_file {
	struct watched_file file;
	struct arena *memory;
	struct node *nodes;
	bool readable;
};

struct passwd_file *
passwd_file_new(const char *path)
{
	struct passwd_file *f = mem_new(sizeof(*f));

	watched_file_init(&f->file, path, "accounts");
	f->file.interval_ms = LOOK_AGAIN_MS;
	return f;
}

static void
drop(struct passwd_file *f)
{
	HASH_CLEAR(hh, f->nodes);
	arena_free(&f->memory);
}

void
passwd_file_free(struct passwd_file **f)
{
	if (*f == NULL)
		return;
	drop(*f);
	watched_file_fini(&(*f)->file);
	free(*f);
	*f = NULL;
}

/* Of two lines with one name the first counts, as for Dovecot. */
static void
add(struct node **nodes, struct arena *a, const struct passwd_entry *entry)
{
	struct node *n;

	HASH_FIND_STR(*nodes, entry->user, n);
	if (n != NULL)
		return;
	n = arena_alloc(a, sizeof(*n));
	n->entry = *entry;
	HASH_ADD_KEYPTR(hh, *nodes, n->entry.user, strlen(n->entry.user), n);
}

static void
parse(struct passwd_file *f, struct span text)
{
	unsigned int number = 0, complaints = 0;
	struct passwd_entry entry;
	const char *error;
	struct span line;
	bool good;

	while (text.n > 0) {
		line = span_take(text, span_find(text, '\n'));
		text = span_skip(text, line.n < text.n ? line.n + 1 : line.n);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		number++;
		good = passwd_line_parse(line, f->memory, &entry, &error);
		if (good)
			add(&f->nodes, f->memory, &entry);
		if (error != NULL && complaints++ < COMPLAINTS_MAX)
			log_warning("%s: line %u %s%s", f->file.path, number,
			    error, good ? "" : ": ignored");
	}
}

/* Is what is in memory still the file? Asked at most once a second. */
static void
refresh(struct passwd_file *f)
{
	struct buf text = BUF_INIT(PASSWD_FILE_MAX);
	enum watched w = watched_file_look(&f->file, &text);

	f->readable = w != WATCHED_UNREADABLE;
	if (w == WATCHED_CHANGED) {
		drop(f);
		f->memory = arena_new();
		parse(f, buf_span(&text));
	}
	watched_file_wipe(&text);
}

enum passwd_result
passwd_file_find(struct passwd_file *f, const char *name,
    const struct passwd_entry **entry)
{
	struct node *n;

	refresh(f);
	if (!f->readable)
		return PASSWD_UNREADABLE;
	HASH_FIND_STR(f->nodes, name, n);
	if (n == NULL)
		return PASSWD_NONE;
	*entry = &n->entry;
	return PASSWD_FOUND;
}

const char *
passwd_file_sample(struct passwd_file *f)
{
	return f->nodes == NULL ? NULL : f->nodes->entry.password;
}
