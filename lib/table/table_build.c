/* SPDX-License-Identifier: ISC */
#include "lib/table/table.h"

#include <cdb.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/cdb_file.h"
#include "lib/table/lines.h"
#include "lib/table/lmdb_file.h"
#include "lib/table/loaded.h"
#include "lib/table/source.h"
#include "lib/table/text_map.h"
#include "lib/table/type.h"

enum {
	TEXT_MAX = 1 << 30,
	ENTRY_COST = 24, /* bytes of an LMDB page beside key and value */
};

/* One run: where, what, and what it holds. */
struct work {
	const struct table_build *how;
	int folder;
	char *leaf; /* of the database, with suffix */
	const char *suffix;
	bool lmdb;
	struct buf entry; /* the one being written */
	mode_t mode;
	struct text_map *map;
	struct buf folded;
	struct buf *error;
};

static const char *const buildable[] = {
	"btree",
	"cdb",
	"hash",
	"lmdb",
};

const char *
table_suffix(const char *type)
{
	return strcmp(type, "lmdb") == 0 ? ".lmdb" : ".cdb";
}

bool
table_can_build(const char *type)
{
	for (size_t i = 0; i < sizeof(buildable) / sizeof(buildable[0]); i++)
		if (strcmp(type, buildable[i]) == 0)
			return true;
	return false;
}

static bool
failed(struct work *w, const char *what)
{
	buf_printf(w->error, "%s %s: %s", what, w->how->path, strerror(errno));
	return false;
}

/*
 * Where anybody but root or the source's owner may rename things, what root
 * writes could become something else's content under a name root trusts.
 */
static bool
folder_is_safe(struct work *w)
{
	struct stat folder;
	struct stat source;

	if (geteuid() != 0)
		return true;
	if (fstat(w->folder, &folder) < 0)
		return failed(w, "folder of");
	if (folder.st_uid == 0)
		return true;
	if (stat(w->how->path, &source) == 0 && source.st_uid == folder.st_uid)
		return true;
	buf_printf(w->error,
	    "%s: its folder belongs to another user: run "
	    "this as user %ld",
	    w->how->path, (long)folder.st_uid);
	return false;
}

static bool
open_work(struct work *w, const struct table_build *how, struct buf *error)
{
	char *folder = mem_text(how->path);
	char *slash = strrchr(folder, '/');
	const char *leaf = slash ? how->path + (slash - folder) + 1 : how->path;

	*w = (struct work){
		.how = how,
		.suffix = table_suffix(how->type),
		.lmdb = strcmp(how->type, "lmdb") == 0,
		.entry = BUF_INIT(TABLE_VALUE_MAX + TABLE_KEY_MAX * 5),
		.mode = 0644,
		.map = text_map_new(),
		.folded = BUF_INIT(LINES_MAX * 4),
		.error = error,
	};
	w->leaf = mem_printf("%s%s", leaf, w->suffix);
	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	w->folder =
	    open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (w->folder < 0)
		return failed(w, "open");
	return true;
}

static void
close_work(struct work *w)
{
	fd_close(&w->folder);
	free(w->leaf);
	text_map_free(&w->map);
	buf_fini(&w->folded);
	buf_fini(&w->entry);
}

static struct span
folded(struct work *w, struct span key)
{
	unsigned int flags = (w->how->fold ? 0 : TABLE_KEEP_CASE) |
	    (w->how->ascii ? TABLE_ASCII : 0);

	return table_fold(key, flags, &w->folded);
}

/* For complaints about a line. */
static const char *
source_name(const struct work *w)
{
	return w->how->from_input ? "stdin" : w->how->path;
}

static void
complain_duplicate(const struct work *w, struct span key,
    struct span folded_key, unsigned int line)
{
	if (w->how->quiet)
		return;
	/* texthash is read anew by who uses it, and says there what it says */
	if (strcmp(w->how->type, "texthash") == 0)
		log_warning("%s, line %u: duplicate entry: \"%.*s\"",
		    w->how->path, line, SPAN_ARG(key));
	else
		log_warning("%s%s: duplicate entry: \"%.*s\"", w->how->path,
		    w->suffix, SPAN_ARG(folded_key));
}

static void
add_entry(void *with, struct span key, struct span value, unsigned int line)
{
	struct work *w = with;
	struct span name = folded(w, key);

	if (name.n > (w->lmdb ? LMDB_KEY_MAX - 1 : TABLE_KEY_MAX))
		log_warning("%s, line %u: key is too long: it would never be "
			    "found",
		    source_name(w), line);
	else if (value.n > TABLE_VALUE_MAX)
		log_warning("%s, line %u: value is too long -- ignored",
		    source_name(w), line);
	else if (w->how->replace)
		text_map_put(w->map, name, value);
	else if (!text_map_add(w->map, name, value))
		complain_duplicate(w, key, name, line);
}

static bool
read_source(struct work *w)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	const int how = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st = { 0 };
	int fd = w->how->from_input ? STDIN_FILENO : open(w->how->path, how);
	int error;

	if (fd < 0)
		return failed(w, "open");
	if (w->how->from_input)
		error = fd_read_whole(fd, &text) < 0 ? errno : 0;
	else
		error = loaded_read(fd, &st, &text);
	if (error != 0) {
		buf_printf(w->error, "read %s: %s", source_name(w),
		    loaded_error(error));
	} else {
		if (!w->how->from_input && !w->how->plain_mode)
			w->mode = st.st_mode & 0666;
		source_read(source_name(w), buf_span(&text),
		    &(struct source_how){
			.syntax = w->how->alias ? SOURCE_ALIASES : SOURCE_MAP,
			.bytes = w->how->ascii,
			.contents = w->how->contents,
		    },
		    add_entry, w);
	}
	if (!w->how->from_input)
		fd_close(&fd);
	buf_fini(&text);
	return error == 0;
}

static struct span
without_null(const void *data, size_t n)
{
	struct span s = { data, n };

	if (n > 0 && s.p[n - 1] == '\0')
		s.n--;
	return s;
}

static bool
damaged(struct work *w)
{
	buf_printf(w->error, "database %s%s is damaged", w->how->path,
	    w->suffix);
	return false;
}

static void
take_entry(void *with, struct span key, struct span value)
{
	struct work *w = with;

	text_map_add(w->map, without_null(key.p, key.n),
	    without_null(value.p, value.n));
}

static bool
read_cdb(struct work *w, int *fd)
{
	int error;
	struct cdb_file *f = cdb_file_open(fd, &error);
	bool good = f != NULL && cdb_file_each(f, take_entry, w);

	cdb_file_close(&f);
	return good || damaged(w);
}

static bool
read_lmdb(struct work *w, int *fd)
{
	int error;
	struct lmdb_file *f = lmdb_file_open(fd, &error);
	bool good = f != NULL && lmdb_file_each(f, take_entry, w);

	lmdb_file_close(&f);
	return good || damaged(w);
}

/* Fills the map with what the database holds; no database: with nothing. */
static bool
read_database(struct work *w, bool must_exist)
{
	struct stat st;
	int fd = openat(w->folder, w->leaf, O_RDONLY | O_CLOEXEC);
	bool good;

	if (fd < 0 && errno == ENOENT && !must_exist)
		return true;
	if (fd < 0) {
		buf_printf(w->error, "open database %s%s: %s", w->how->path,
		    w->suffix, strerror(errno));
		return false;
	}
	if (fstat(fd, &st) == 0)
		w->mode = st.st_mode & 0666;
	good = w->lmdb ? read_lmdb(w, &fd) : read_cdb(w, &fd);
	fd_close(&fd);
	return good;
}

/* The i-th entry as it is stored; false behind the last. */
static bool
stored_entry(void *with, size_t i, struct span *key, struct span *value)
{
	struct work *w = with;
	size_t end = w->how->null_bytes ? 1 : 0;

	if (i >= text_map_count(w->map))
		return false;
	text_map_at(w->map, i, key, value);
	if (end == 0)
		return true;
	buf_reset(&w->entry);
	buf_add_span(&w->entry, *key);
	buf_add_char(&w->entry, '\0');
	buf_add_span(&w->entry, *value);
	buf_add_char(&w->entry, '\0');
	*value = (struct span){ w->entry.p + key->n + 1, value->n + 1 };
	*key = (struct span){ w->entry.p, key->n + 1 };
	return true;
}

static size_t
stored_bytes(struct work *w)
{
	struct span key;
	struct span value;
	size_t bytes = 0;

	for (size_t i = 0; stored_entry(w, i, &key, &value); i++)
		bytes += key.n + value.n + ENTRY_COST;
	return bytes;
}

static bool
write_entries(struct work *w, int fd)
{
	struct cdb_make m;
	struct span key;
	struct span value;
	bool good;

	if (w->lmdb)
		return lmdb_file_write(fd, stored_bytes(w), stored_entry, w);
	good = cdb_make_start(&m, fd) == 0;
	for (size_t i = 0; good && stored_entry(w, i, &key, &value); i++)
		good = cdb_make_add(&m, key.p, (unsigned int)key.n, value.p,
			   (unsigned int)value.n) == 0;
	return cdb_make_finish(&m) == 0 && good;
}

enum { NOISE = 16 }; /* hexadecimal digits in the name of a temporary file */

static bool
is_temporary(const struct work *w, const char *name)
{
	size_t n = strlen(w->leaf);

	return strncmp(name, w->leaf, n) == 0 && name[n] == '.' &&
	    strspn(name + n + 1, "0123456789abcdef") == NOISE &&
	    strcmp(name + n + 1 + NOISE, ".tmp") == 0;
}

/* One that nobody has locked belongs to somebody who was killed. */
static void
remove_abandoned(const struct work *w, const char *name)
{
	int fd = openat(w->folder, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(w->folder, name, 0);
	fd_close(&fd);
}

static void
sweep_temporaries(const struct work *w)
{
	int fd = openat(w->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (d == NULL) {
		fd_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (is_temporary(w, e->d_name))
			remove_abandoned(w, e->d_name);
	closedir(d);
}

/*
 * Between its creation and its lock somebody else may have swept it away. Where
 * there are no locks (a file server without them) nobody can.
 */
static bool
is_there(int fd)
{
	struct stat st;

	while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
		;
	return fstat(fd, &st) < 0 || st.st_nlink > 0;
}

/*
 * A name nobody has; the file has no rights for others until it is whole, and
 * is locked, if it can be, for as long as its program lives.
 */
static int
create_temporary(struct work *w, char **name)
{
	sweep_temporaries(w);
	for (int tries = 0; tries < 100; tries++) {
		uint64_t noise;
		int fd;

		if (getrandom(&noise, sizeof(noise), 0) < 0)
			return -1;
		*name = mem_printf("%s.%016llx.tmp", w->leaf,
		    (unsigned long long)noise);
		fd = openat(w->folder, *name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 ? is_there(fd) : errno != EEXIST)
			return fd;
		fd_close(&fd);
		free(*name);
		*name = NULL;
	}
	return -1;
}

static bool
write_database(struct work *w)
{
	char *name = NULL;
	int fd;
	bool good;

	if (!folder_is_safe(w))
		return false;
	fd = create_temporary(w, &name);
	if (fd < 0) {
		failed(w, "create database");
		free(name);
		return false;
	}
	good = write_entries(w, fd) && fchmod(fd, w->mode) == 0 &&
	    fsync(fd) == 0 &&
	    renameat(w->folder, name, w->folder, w->leaf) == 0;
	if (!good) {
		failed(w, "write database");
		unlinkat(w->folder, name, 0);
	} else if (file_system_commit(w->folder, 0, FILE_TIME_READ) != 0) {
		failed(w,
		    "database is made, but may be the old one after a"
		    " power cut: flush the folder of");
		good = false;
	}
	fd_close(&fd);
	free(name);
	return good;
}

bool
table_build(const struct table_build *b, struct buf *error)
{
	struct work w;
	bool good = open_work(&w, b, error) &&
	    (!b->add || read_database(&w, false)) && read_source(&w) &&
	    write_database(&w);

	close_work(&w);
	return good;
}

/* All entries but these go into a map of their own. */
static size_t
leave_out(struct work *w, const struct span *keys, size_t count)
{
	struct text_map *unwanted = text_map_new();
	struct text_map *rest = text_map_new();
	size_t before = text_map_count(w->map);

	for (size_t i = 0; i < count; i++)
		text_map_add(unwanted, folded(w, keys[i]), SPAN(""));
	for (size_t i = 0; i < before; i++) {
		struct span key;
		struct span value;
		struct span ignored;

		text_map_at(w->map, i, &key, &value);
		if (!text_map_find(unwanted, key, &ignored))
			text_map_add(rest, key, value);
	}
	text_map_free(&unwanted);
	text_map_free(&w->map);
	w->map = rest;
	return before - text_map_count(rest);
}

bool
table_build_delete(const struct table_build *b, const struct span *keys,
    size_t count, size_t *deleted, struct buf *error)
{
	struct work w;
	bool good = open_work(&w, b, error) && read_database(&w, true);

	*deleted = good ? leave_out(&w, keys, count) : 0;
	if (good && *deleted > 0)
		good = write_database(&w);
	close_work(&w);
	return good;
}

bool
table_build_each(const struct table_build *b,
    void (*visit)(void *with, struct span key, struct span value), void *with,
    struct buf *error)
{
	struct work w;
	bool text = strcmp(b->type, "texthash") == 0;
	bool good = open_work(&w, b, error) &&
	    (text ? read_source(&w) : read_database(&w, true));

	for (size_t i = 0; good && i < text_map_count(w.map); i++) {
		struct span key;
		struct span value;

		text_map_at(w.map, i, &key, &value);
		visit(with, key, value);
	}
	close_work(&w);
	return good;
}
