/* SPDX-License-Identifier: ISC */
#include "lib/table/lmdb_file.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"

struct lmdb_file {
	MDB_env *environment;
	MDB_txn *question; /* reset between questions */
	MDB_dbi database;
};

/* The library opens names: this one is the descriptor's. */
static int
open_environment(MDB_env **env, int fd, size_t room, unsigned int flags)
{
	char name[sizeof("/proc/self/fd/") + 10];
	int error = mdb_env_create(env);

	if (error != 0)
		return error;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (room > 0)
		error = mdb_env_set_mapsize(*env, room);
	if (error == 0)
		error = mdb_env_open(*env, name,
		    MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | flags, 0600);
	if (error != 0) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return error;
}

/* The library's own numbers say that it is no such file, or damaged. */
static int
to_errno(int error)
{
	return error > 0 ? error : error == MDB_MAP_FULL ? ENOSPC : EINVAL;
}

/* One that was cut short: to read what is mapped behind its end is fatal. */
static bool
is_whole(MDB_env *env, int fd)
{
	MDB_envinfo info;
	MDB_stat shape;
	struct stat st;

	return fstat(fd, &st) == 0 && mdb_env_info(env, &info) == 0 &&
	    mdb_env_stat(env, &shape) == 0 &&
	    (uint64_t)st.st_size / shape.ms_psize > info.me_last_pgno;
}

struct lmdb_file *
lmdb_file_open(int fd, int *error)
{
	struct lmdb_file *f = mem_new(sizeof(*f));
	int e = open_environment(&f->environment, fd, 0, MDB_RDONLY);

	if (e == 0 && !is_whole(f->environment, fd))
		e = MDB_CORRUPTED;
	if (e == 0)
		e = mdb_txn_begin(f->environment, NULL, MDB_RDONLY,
		    &f->question);
	if (e == 0)
		e = mdb_dbi_open(f->question, NULL, 0, &f->database);
	if (e == 0) {
		mdb_txn_reset(f->question);
		return f;
	}
	*error = to_errno(e);
	lmdb_file_close(&f);
	return NULL;
}

void
lmdb_file_close(struct lmdb_file **f)
{
	if (*f == NULL)
		return;
	if ((*f)->question != NULL)
		mdb_txn_abort((*f)->question);
	if ((*f)->environment != NULL)
		mdb_env_close((*f)->environment);
	free(*f);
	*f = NULL;
}

/* Another program may have made the file larger than what is mapped. */
static bool
begin(struct lmdb_file *f)
{
	int error = mdb_txn_renew(f->question);

	if (error == MDB_MAP_RESIZED) {
		mdb_env_set_mapsize(f->environment, 0);
		error = mdb_txn_renew(f->question);
	}
	return error == 0;
}

int
lmdb_file_find(struct lmdb_file *f, struct span key, struct buf *value)
{
	MDB_val k = { key.n, NULL };
	MDB_val v;
	char copy[LMDB_KEY_MAX];
	int result = -1;
	int error;

	if (key.n == 0 || key.n > sizeof(copy))
		return 0;
	for (size_t i = 0; i < key.n; i++)
		copy[i] = key.p[i];
	k.mv_data = copy;
	if (!begin(f))
		return -1;
	error = mdb_get(f->question, f->database, &k, &v);
	if (error == 0) {
		buf_add(value, v.mv_data, v.mv_size);
		result = 1;
	} else if (error == MDB_NOTFOUND) {
		result = 0;
	}
	mdb_txn_reset(f->question);
	return result;
}

bool
lmdb_file_each(struct lmdb_file *f,
    void (*visit)(void *with, struct span key, struct span value), void *with)
{
	MDB_cursor *cursor = NULL;
	MDB_val k;
	MDB_val v;
	int error;

	if (!begin(f))
		return false;
	error = mdb_cursor_open(f->question, f->database, &cursor);
	while (error == 0 &&
	    (error = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
		visit(with, (struct span){ k.mv_data, k.mv_size },
		    (struct span){ v.mv_data, v.mv_size });
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	mdb_txn_reset(f->question);
	return error == MDB_NOTFOUND;
}

static int
put_all(MDB_env *env,
    bool (*next)(void *with, size_t i, struct span *key, struct span *value),
    void *with)
{
	MDB_txn *txn;
	MDB_dbi database;
	struct span key;
	struct span value;
	int error = mdb_txn_begin(env, NULL, 0, &txn);

	if (error != 0)
		return error;
	error = mdb_dbi_open(txn, NULL, 0, &database);
	for (size_t i = 0; error == 0 && next(with, i, &key, &value); i++) {
		MDB_val v = { value.n, NULL };
		MDB_val k = { key.n, NULL };
		char copy[LMDB_KEY_MAX];

		if (key.n > sizeof(copy)) {
			error = MDB_BAD_VALSIZE;
			break;
		}
		for (size_t j = 0; j < key.n; j++)
			copy[j] = key.p[j];
		k.mv_data = copy;
		/* room for the value, which is copied into the map */
		error = mdb_put(txn, database, &k, &v, MDB_RESERVE);
		for (size_t j = 0; error == 0 && j < value.n; j++)
			((char *)v.mv_data)[j] = value.p[j];
	}
	if (error == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}

bool
lmdb_file_write(int fd, size_t bytes,
    bool (*next)(void *with, size_t i, struct span *key, struct span *value),
    void *with)
{
	/* pages are half full at worst, when keys come in an odd order */
	size_t room = ((bytes * 4) | 0xfffff) + 1;
	int error = MDB_MAP_FULL;

	for (int tries = 0; error == MDB_MAP_FULL && tries < 8; tries++) {
		MDB_env *env = NULL;

		if (ftruncate(fd, 0) < 0)
			return false;
		error = open_environment(&env, fd, room, MDB_NOSYNC);
		if (error == 0)
			error = put_all(env, next, with);
		if (env != NULL)
			mdb_env_close(env);
		room *= 2;
	}
	errno = to_errno(error);
	return error == 0;
}
