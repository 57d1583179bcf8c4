/* SPDX-License-Identifier: ISC */
/*
 * sqlite: tables. The database is only read.
 *
 * A database that another one takes the place of (rename) is opened anew, as
 * is one that was written to by other means than SQLite's.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "table_modules/module.h"

struct database {
	sqlite3 *db;
	char *path;
	dev_t device;
	ino_t inode;
};

static const struct module_setting settings[] = {
	SETTING_TEXT("dbpath", ""),
	SETTINGS_END,
};

static void
close_database(void *connection)
{
	struct database *d = connection;

	(void)sqlite3_close(d->db);
	free(d->path);
	free(d);
}

static enum module_result
check(struct module_call *c)
{
	if (is_given(c->setting(c, "dbpath")))
		return MODULE_OK;
	c->fail(c, "dbpath is missing");
	return MODULE_WRONG;
}

static enum module_result
open_database(struct module_call *c, const char *host, void **connection)
{
	const char *path = c->setting(c, "dbpath");
	struct database *d = calloc(1, sizeof(*d));
	struct stat st = { 0 };

	(void)host;
	if (d == NULL || (d->path = strdup(path)) == NULL)
		abort();
	if (stat(path, &st) < 0 ||
	    sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READONLY, NULL) !=
		SQLITE_OK) {
		c->fail(c, "%s: %s", path,
		    d->db != NULL ? sqlite3_errmsg(d->db) : strerror(errno));
		close_database(d);
		return MODULE_DOWN;
	}
	d->device = st.st_dev;
	d->inode = st.st_ino;
	*connection = d;
	return MODULE_OK;
}

/* Quotes are doubled; SQL of SQLite knows no other special character. */
static size_t
quote(void *connection, enum module_place place, char *to, size_t room,
    const char *from, size_t n)
{
	char *end = to;

	(void)connection;
	(void)place;
	(void)room; /* 4 n + 1 */
	for (size_t i = 0; i < n; i++) {
		if (from[i] == '\'')
			*end++ = '\'';
		*end++ = from[i];
	}
	return (size_t)(end - to);
}

/* Mended by nobody but time? */
static bool
is_temporary(int code)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_NOMEM:
	case SQLITE_PROTOCOL:
	case SQLITE_SCHEMA:
	case SQLITE_INTERRUPT:
		return true;
	default:
		return false;
	}
}

static enum module_result
failed(struct module_call *c, const struct database *d)
{
	int code = sqlite3_extended_errcode(d->db);

	c->fail(c, "%s: %s", d->path, sqlite3_errmsg(d->db));
	return is_temporary(code) ? MODULE_LATER : MODULE_WRONG;
}

static bool
replaced(const struct database *d)
{
	struct stat st;

	return stat(d->path, &st) < 0 || st.st_dev != d->device ||
	    st.st_ino != d->inode;
}

/* SQLite asks between steps whether it may go on. */
static int
out_of_time(void *with)
{
	struct module_call *c = with;

	return c->left_ms(c) <= 1;
}

static enum module_result
step_through(struct module_call *c, struct database *d, sqlite3_stmt *s)
{
	int columns = sqlite3_column_count(s), r;
	bool more = true;

	while (more && (r = sqlite3_step(s)) == SQLITE_ROW)
		for (int i = 0; more && i < columns; i++) {
			const unsigned char *text = sqlite3_column_text(s, i);
			int n = sqlite3_column_bytes(s, i);

			if (text != NULL && n > 0)
				more = c->value(c, (const char *)text,
				    (size_t)n, true);
		}
	return !more || r == SQLITE_DONE ? MODULE_OK : failed(c, d);
}

static enum module_result
ask(struct module_call *c, void *connection, const struct module_question *q)
{
	enum { OPCODES = 10000 };
	struct database *d = connection;
	sqlite3_stmt *s = NULL;
	enum module_result result = MODULE_OK;
	const char *rest = NULL;

	if (replaced(d)) {
		c->fail(c, "%s: was replaced", d->path);
		return MODULE_DOWN;
	}
	(void)sqlite3_busy_timeout(d->db, c->left_ms(c));
	sqlite3_progress_handler(d->db, OPCODES, out_of_time, c);
	if (sqlite3_prepare_v2(d->db, q->query, (int)q->query_n + 1, &s,
		&rest) != SQLITE_OK) {
		result = failed(c, d);
	} else if (s == NULL) {
		c->fail(c, "the query is empty");
		result = MODULE_WRONG;
	} else {
		result = step_through(c, d, s);
	}
	(void)sqlite3_finalize(s);
	sqlite3_progress_handler(d->db, 0, NULL, NULL);
	return result;
}

TABLE_MODULE = {
	.abi = TABLE_MODULE_ABI,
	.type = "sqlite",
	.settings = settings,
	.sql = true,
	.check = check,
	.connect = open_database,
	.quote = quote,
	.ask = ask,
	.close = close_database,
};
