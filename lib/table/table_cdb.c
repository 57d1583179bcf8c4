/* SPDX-License-Identifier: ISC */
/*
 * cdb: a constant database, NAME.cdb; lmdb: NAME.lmdb, with the text source
 * beside it as the truth, as for hash. hash:, btree: and other databases of
 * old: the same, with the text source beside it as the truth: when that is
 * newer, or there is no (sound) database, the text is read into memory.
 * Nothing is written here; postmap does that, under its caller's rights.
 */
#include "lib/table/type.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/cdb_file.h"
#include "lib/table/lmdb_file.h"
#include "lib/table/loaded.h"
#include "lib/table/text_source.h"

/* What is served now. */
enum content { NOTHING, DATABASE, LMDB, TEXT };

struct cdb_table {
	struct watch watch;
	bool has_source;
	struct text_source_how how;
	enum content content;
	struct cdb_file *database;
	struct lmdb_file *lmdb;
	const char *suffix;
	bool is_lmdb;
	struct text_map *map;
	struct watch_stamp stamp; /* of the file the content is from */
	struct buf error; /* why there is nothing */
};

static void
drop(struct cdb_table *x)
{
	cdb_file_close(&x->database);
	lmdb_file_close(&x->lmdb);
	text_map_free(&x->map);
	x->content = NOTHING;
	x->stamp.known = false;
}

/* An errno, or 0. The old content stays until the new one is there. */
static int
replace_content(struct cdb_table *x, int *fd)
{
	struct cdb_file *database = NULL;
	struct lmdb_file *lmdb = NULL;
	int error = 0;

	if (x->is_lmdb)
		lmdb = lmdb_file_open(fd, &error);
	else
		database = cdb_file_open(fd, &error);
	if (error != 0)
		return error;
	drop(x);
	x->lmdb = lmdb;
	x->database = database;
	x->content = lmdb != NULL ? LMDB : DATABASE;
	return 0;
}

static int
take_database(struct cdb_table *x)
{
	int fd = watch_read(&x->watch, x->suffix);
	struct stat st;
	int error;

	if (fd < 0)
		return errno;
	error = fstat(fd, &st) < 0 ? errno : replace_content(x, &fd);
	if (error == 0)
		watch_stamp_set(&x->stamp, &st);
	fd_close(&fd);
	return error;
}

static int
take_text(struct cdb_table *x)
{
	struct buf text = BUF_INIT(LOADED_MAX);
	struct watch_stamp stamp;
	int error = loaded_text(&x->watch, &stamp, &text);

	if (error == 0) {
		drop(x);
		x->map =
		    text_source_parse(x->watch.path, buf_span(&text), &x->how);
		x->content = TEXT;
		x->stamp = stamp;
	}
	buf_fini(&text);
	return error;
}

static void
give_up(struct cdb_table *x, const char *suffix, int error)
{
	struct stat st;

	drop(x);
	buf_reset(&x->error);
	buf_printf(&x->error, "open database %s%s: %s", x->watch.path, suffix,
	    x->has_source && suffix[0] == '\0' ? loaded_error(error) :
						 strerror(error));
	if (x->has_source && error == ENOENT &&
	    watch_stat(&x->watch, ".db", &st) == 0)
		buf_printf(&x->error,
		    " (%s.db is a Berkeley DB file: its source text %s is "
		    "wanted instead)",
		    x->watch.path, x->watch.path);
}

static bool
newer(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec > b->st_mtim.tv_sec ||
	    (a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec > b->st_mtim.tv_nsec);
}

/* Tries one of the two; true when there is nothing more to do. */
static bool
serve(struct cdb_table *x, enum content which, const struct stat *st,
    int *error)
{
	bool same_kind = (x->content == TEXT) == (which == TEXT);

	if (x->content != NOTHING && same_kind &&
	    watch_stamp_same(&x->stamp, st))
		return true;
	if (which == TEXT && x->content != NOTHING &&
	    !watch_settled(&x->watch, st))
		return true;
	*error = which == DATABASE ? take_database(x) : take_text(x);
	return *error == 0 ||
	    (*error == EACCES &&
		watch_denied(&x->watch, which == TEXT ? "" : x->suffix));
}

static void
check(struct cdb_table *x)
{
	struct stat database;
	struct stat source;
	bool has_source =
	    x->has_source && watch_stat(&x->watch, "", &source) == 0;
	bool has_database = watch_stat(&x->watch, x->suffix, &database) == 0;
	int error = errno;
	bool text_first =
	    has_source && has_database && newer(&source, &database);

	if (!has_source && !has_database && error == EACCES &&
	    watch_lost_rights(&x->watch))
		return;
	if (has_database && !text_first &&
	    serve(x, DATABASE, &database, &error))
		return;
	if (has_source && serve(x, TEXT, &source, &error))
		return;
	if (text_first && serve(x, DATABASE, &database, &error))
		return;
	give_up(x, has_source ? "" : x->suffix, error);
}

static bool
open_any(struct table *t, struct span argument, struct buf *error,
    bool has_source)
{
	struct cdb_table *x;
	char *path;

	(void)error;
	x = mem_new(sizeof(*x));
	x->has_source = has_source;
	x->suffix = table_suffix(t->type);
	x->is_lmdb = strcmp(t->type, "lmdb") == 0;
	x->how = (struct text_source_how){
		.syntax =
		    t->flags & TABLE_ALIASES ? SOURCE_ALIASES : SOURCE_GUESS,
		.flags = t->flags,
	};
	buf_init(&x->error, 1024);
	t->state = x;
	path = mem_span_text(argument);
	watch_open(&x->watch, path);
	free(path);
	if (watch_due(&x->watch))
		check(x);
	return true;
}

static bool
open_cdb(struct table *t, struct span argument, struct buf *error)
{
	return open_any(t, argument, error, false);
}

static bool
open_hash(struct table *t, struct span argument, struct buf *error)
{
	return open_any(t, argument, error, true);
}

static enum table_result
damaged(const struct cdb_table *x, struct buf *value)
{
	buf_reset(value);
	buf_printf(value, "database %s%s is damaged", x->watch.path, x->suffix);
	return TABLE_BROKEN;
}

static int
find_cdb(struct cdb_table *x, struct span key, struct buf *value)
{
	return cdb_file_find(x->database, key, value);
}

static enum table_result
find_in_database(struct cdb_table *x, struct span key, struct buf *value,
    int (*find)(struct cdb_table *x, struct span key, struct buf *value))
{
	char with_nul[TABLE_KEY_MAX * 4 + 1];
	int found = find(x, key, value);

	/* postmap -N: keys and values end in a null byte */
	if (found == 0 && key.n < sizeof(with_nul)) {
		memcpy(with_nul, key.p, key.n);
		with_nul[key.n] = '\0';
		found = find(x, (struct span){ with_nul, key.n + 1 }, value);
	}
	if (found < 0)
		return damaged(x, value);
	if (found == 0)
		return TABLE_NONE;
	if (value->n > 0 && value->p[value->n - 1] == '\0')
		value->n--;
	return TABLE_FOUND;
}

static int
find_lmdb(struct cdb_table *x, struct span key, struct buf *value)
{
	return lmdb_file_find(x->lmdb, key, value);
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	struct cdb_table *x = t->state;
	struct span found;

	if (watch_due(&x->watch))
		check(x);
	switch (x->content) {
	case DATABASE:
		return find_in_database(x, key, value, find_cdb);
	case LMDB:
		return find_in_database(x, key, value, find_lmdb);
	case TEXT:
		if (!text_map_find(x->map, key, &found))
			return TABLE_NONE;
		buf_add_span(value, found);
		return TABLE_FOUND;
	case NOTHING:
		break;
	}
	buf_add_text(value, buf_text(&x->error));
	return TABLE_AGAIN;
}

static uid_t
owner(const struct table *t)
{
	const struct cdb_table *x = t->state;

	return x->stamp.owner;
}

static void
close_cdb(struct table *t)
{
	struct cdb_table *x = t->state;

	drop(x);
	watch_close(&x->watch);
	buf_fini(&x->error);
	free(x);
}

const struct table_ops table_cdb_ops = {
	.folds = true,
	.partial = true,
	.open = open_cdb,
	.lookup = lookup,
	.owner = owner,
	.close = close_cdb,
};

const struct table_ops table_hash_ops = {
	.folds = true,
	.partial = true,
	.open = open_hash,
	.lookup = lookup,
	.owner = owner,
	.close = close_cdb,
};
