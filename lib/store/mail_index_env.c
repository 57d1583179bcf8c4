/* SPDX-License-Identifier: ISC */
/* The index's file as LMDB has it open: its room, its trees, its first look. */
#include "lib/store/mail_index_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/mail_index_guard.h"

/*
 * Address space, not memory: the file is as large as what is in it. Less where
 * so much cannot be had (RLIMIT_AS; memcheck says EINVAL then); LMDB takes what
 * the file needs in any case.
 */
static const size_t map_sizes[] = {
	sizeof(size_t) > 4 ? (size_t)64 << 30 : (size_t)512 << 20,
	(size_t)512 << 20,
};
enum { LOCK_ROOM = 12288 }; /* LMDB's table of 126 readers, and its head */
static const char *const tree_names[INDEX_TREES] = { "small", "rows", "cache" };

/* Makes the file, if need be, and gives it blocks. 0, or that there are none.
 */
static int
make_room(int at, const char *path, off_t size)
{
	int error = 0,
	    fd = openat(at, path,
		O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	/* mdb_env_open says what else is wrong with it */
	if (fd == -1 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size) == -1)
		error = errno;
	fd_close(&fd);
	return error == ENOSPC || error == EDQUOT ? error : 0;
}

/*
 * The lock file is mapped, and LMDB makes it with a hole: where there is no
 * room for that, touching it would be a bus error, and look like damage. So
 * would an index that LMDB has only begun to make.
 */
static int
make_room_for_both(int at, const char *path, bool new)
{
	char *lock = mem_printf("%s-lock", path);
	int error = new ? make_room(at, path, INDEX_ROOM_KEPT) : 0;

	if (error == 0)
		error = make_room(at, lock, LOCK_ROOM);
	free(lock);
	return error;
}

struct opening {
	struct mail_index *x;
	const char *path;
};

static int
open_each(struct mail_index *x, MDB_txn *txn, unsigned int flags)
{
	int r = 0;

	for (size_t t = 0; r == 0 && t < INDEX_TREES; t++)
		r = mdb_dbi_open(txn, tree_names[t], flags, &x->trees[t]);
	if (r != 0)
		mdb_txn_abort(txn);
	else
		r = mdb_txn_commit(txn);
	return r;
}

static int
open_trees(struct mail_index *x)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &txn);

	return r != 0 ? r : open_each(x, txn, 0);
}

/* Was nothing ever put into it? */
static bool
is_new(MDB_txn *txn)
{
	MDB_stat stat;
	MDB_dbi names;

	return mdb_dbi_open(txn, NULL, 0, &names) == 0 &&
	    mdb_stat(txn, names, &stat) == 0 && stat.ms_depth == 0;
}

/*
 * Trees are made in an empty file only. Where some are there and one is not,
 * the page that names them is damaged; to write to it, LMDB would copy it to
 * the heap, and follow its offsets there, where no fault is caught.
 *
 * Whether it is empty is seen by who alone may write: of several that find it
 * so, the first one makes the trees, and the others have them.
 */
static int
make_trees(struct mail_index *x)
{
	MDB_txn *txn;
	uint64_t transaction;
	int r = mdb_txn_begin(x->env, NULL, 0, &txn);

	if (r != 0)
		return r;
	transaction = mdb_txn_id(txn);
	x->writes = 1; /* the lock is held: see index_failed */
	x->custody = is_new(txn);
	r = open_each(x, txn, x->custody ? MDB_CREATE : 0);
	x->writes = 0;
	if (r == 0)
		index_txn_seal(x, transaction);
	return r == MDB_NOTFOUND ? MDB_CORRUPTED : r;
}

/* 0: sound. */
static int
look_through(struct mail_index *x, unsigned int flags)
{
	static const int errors
	    [] = { [INDEX_DAMAGED] = MDB_CORRUPTED, [INDEX_UNKNOWN] = ENOMEM };
	enum index_verdict verdict;
	MDB_txn *txn;
	uint64_t last;
	int fd, r = mdb_env_get_fd(x->env, &fd);

	if (r == 0)
		r = mdb_txn_begin(x->env, NULL, flags, &txn);
	if (r != 0)
		return r;
	last = mdb_txn_id(txn) - (flags == MDB_RDONLY ? 0 : 1);
	if (!index_file_sealed(fd, last)) {
		verdict = index_file_prove(fd, last);
		r = errors[verdict];
	}
	mdb_txn_abort(txn);
	return r;
}

/*
 * What we did not leave so ourselves is looked through before it is used.
 * Where its trees begin is in the file for two transactions only: while others
 * write it may seem damaged, so that the last look has the writers' lock.
 */
static int
verify(struct mail_index *x)
{
	int r = look_through(x, MDB_RDONLY);

	if (r != MDB_CORRUPTED)
		return r;
	x->writes = 1; /* the lock is held: see index_failed */
	r = look_through(x, 0);
	x->writes = 0;
	return r;
}

/* LMDB knows no directories: it goes by the working directory. */
static int
open_files(struct mail_index *x, const char *path)
{
	int back = -1, r;

	if (x->at != AT_FDCWD) {
		back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (back == -1 || fchdir(x->at) == -1) {
			r = errno;
			fd_close(&back);
			return r;
		}
	}
	r = mdb_env_open(x->env, path, MDB_NOSUBDIR | MDB_NOSYNC | MDB_NOTLS,
	    0600);
	/* nothing of ours works in another place than that */
	if (back != -1 && fchdir(back) == -1)
		abort();
	fd_close(&back);
	return r;
}

static int
open_call(void *with)
{
	struct opening *o = with;
	struct mail_index *x = o->x;
	int dead, r;

	r = open_files(x, o->path);
	if (r != 0)
		return r;
	index_gate_identify(x);
	(void)mdb_reader_check(x->env, &dead);
	r = verify(x);
	if (r == 0)
		r = open_trees(x);
	if (r == MDB_NOTFOUND)
		r = make_trees(x);
	return r;
}

static int
open_mapped(struct mail_index *x, size_t map_size)
{
	struct opening o = { x, x->path };
	int r = mdb_env_create(&x->env);

	if (r != 0)
		return r;
	index_guard_install(x->env);
	(void)mdb_env_set_mapsize(x->env, map_size);
	(void)mdb_env_set_maxdbs(x->env, INDEX_TREES);
	r = index_guarded(open_call, &o);
	if (r == MDB_PANIC)
		(void)index_failed(x, r);
	else if (r != 0)
		mdb_env_close(x->env);
	if (r != 0)
		x->env = NULL;
	return r;
}

int
index_env_open(struct mail_index *x)
{
	const char *what;
	struct stat st;
	bool new;
	int r, fd = openat(x->at, x->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	index_gate_identify(x);
	if (fd != -1 && !index_file_sound(fd, &what)) {
		fd_close(&fd);
		return MDB_INVALID;
	}
	new = fd == -1 || fstat(fd, &st) == -1 || st.st_size == 0;
	fd_close(&fd);
	x->broken = false;
	r = make_room_for_both(x->at, x->path, new);
	if (r != 0)
		return r;
	r = ENOMEM;
	for (size_t i = 0; (r == ENOMEM || r == EINVAL) &&
	     i < sizeof(map_sizes) / sizeof(map_sizes[0]);
	     i++)
		r = open_mapped(x, map_sizes[i]);
	return r;
}

void
index_env_close(struct mail_index *x)
{
	/*
	 * One that LMDB fell over is left as it lies: its memory is not to be
	 * trusted. Where we found the damage, nothing of LMDB's is.
	 */
	if (x->env != NULL && !x->broken) {
		for (size_t t = 0; t < INDEX_TREES; t++)
			if (x->cursors[t] != NULL)
				mdb_cursor_close(x->cursors[t]);
		for (size_t i = 0; i < INDEX_SEATS; i++)
			if (x->seats[i].cursor != NULL)
				mdb_cursor_close(x->seats[i].cursor);
		if (x->reader != NULL)
			mdb_txn_abort(x->reader);
		mdb_env_close(x->env);
	}
	memset(x->cursors, 0, sizeof(x->cursors));
	memset(x->seats, 0, sizeof(x->seats));
	x->reader = NULL;
	x->env = NULL;
	x->reading = x->damaged = x->broken = false;
	x->holds = 0;
	x->room = 0;
	x->sealless = false;
}
