/* SPDX-License-Identifier: ISC */
#include "lib/table/lmdb_file.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <unistd.h>

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
