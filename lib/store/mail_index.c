/* SPDX-License-Identifier: ISC */
/* The file, its transactions, and what becomes of a damaged one. */
#include "lib/store/mail_index_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/log/log.h"
#include "lib/store/mail_index_guard.h"

/* Address space, not memory: the file is as large as what is in it. */
static const size_t
    map_size = sizeof(size_t) > 4 ? (size_t)64 << 30 : (size_t)512 << 20;
enum { BEGIN_ATTEMPTS = 8 }; /* others may exchange the file meanwhile */
/* Less free room than this, and a failed write is put down to that. */
enum {
	ROOM_FOR_COMMIT = 1 << 20,
	LOCK_ROOM = 12288, /* LMDB's table of 126 readers, and its head */
	ROOM_KEPT = 65536, /* for a transaction or two */
};
static const char *const tree_names[INDEX_TREES] = { "small", "rows", "cache" };

/* LMDB calls a write that was cut short for want of room EIO. */
static bool
no_room_left(struct mail_index *x)
{
	struct statvfs fs;
	int fd;

	return x->env != NULL && mdb_env_get_fd(x->env, &fd) == 0 &&
	    fstatvfs(fd, &fs) == 0 &&
	    fs.f_bavail * fs.f_frsize < ROOM_FOR_COMMIT;
}

bool
mail_index_full(const struct mail_index *x)
{
	return x->error == MDB_MAP_FULL || x->error == ENOSPC ||
	    x->error == EDQUOT;
}

/*
 * LMDB was left in the middle of a change. Its lock cannot be given back by
 * its own means, and its memory is not to be trusted; who dies holding the
 * lock gives it to the next one, who finds what was committed last.
 */
static noreturn void
end_process(const struct mail_index *x)
{
	log_error("%s: it is damaged, found while it was being changed; this "
		  "process ends",
	    x->path);
	log_flush();
	_exit(EX_TEMPFAIL);
}

bool
index_failed(struct mail_index *x, int error)
{
	/* a transaction that has failed says no more than that */
	if (error == MDB_BAD_TXN && mail_index_full(x))
		return false;
	if (error == EIO && no_room_left(x))
		error = ENOSPC;
	x->error = error;
	switch (error) {
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_CURSOR_FULL:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_DBI:
	case MDB_BAD_VALSIZE:
		x->damaged = true;
		break;
	case MDB_PANIC:
		x->damaged = x->broken = true;
		if (x->writes > 0)
			end_process(x);
		break;
	}
	return false;
}

bool
index_damaged(struct mail_index *x)
{
	return index_failed(x, MDB_CORRUPTED);
}

void
mail_index_why(const struct mail_index *x, struct why *why)
{
	if (mail_index_full(x))
		why_set(why, "4.2.2", "no room for the mailbox's index");
	else
		why_set(why, "4.3.0", "the mailbox's index: %s",
		    mdb_strerror(x->error));
}

unsigned int
mail_index_generation(const struct mail_index *x)
{
	return x->generation;
}

bool
mail_index_writing(const struct mail_index *x)
{
	return x->writes > 0;
}

bool
mail_index_outermost(const struct mail_index *x)
{
	return x->writes == 1;
}

/* ---- opening ---- */

void
mail_index_prepare(void)
{
	(void)process_boot_id();
}

const char *
mail_index_boot(void)
{
	return process_boot_id();
}

static bool
this_boot(const struct index_self *self)
{
	const char *boot = process_boot_id();

	return boot[0] != '\0' && strcmp(self->boot, boot) == 0;
}

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
	int error = new ? make_room(at, path, ROOM_KEPT) : 0;

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
	int r = mdb_txn_begin(x->env, NULL, 0, &txn);

	if (r != 0)
		return r;
	x->writes = 1; /* the lock is held: see index_failed */
	r = open_each(x, txn, is_new(txn) ? MDB_CREATE : 0);
	x->writes = 0;
	return r == MDB_NOTFOUND ? MDB_CORRUPTED : r;
}

/* What we did not leave so ourselves is looked through before it is used. */
static int
verify(struct mail_index *x)
{
	MDB_txn *txn;
	bool sound;
	int fd, r = mdb_env_get_fd(x->env, &fd);

	if (r == 0)
		r = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &txn);
	if (r != 0)
		return r;
	sound = index_file_sealed(fd, mdb_txn_id(txn)) ||
	    index_file_verify(fd, mdb_txn_id(txn));
	mdb_txn_abort(txn);
	return sound ? 0 : MDB_CORRUPTED;
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
	r = mdb_env_open(x->env, path,
	    MDB_NOSUBDIR | MDB_NOSYNC | MDB_NOTLS | MDB_NOMEMINIT, 0600);
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

/* 0, or an error; a new file that LMDB has put nothing into is fine. */
static int
open_env(struct mail_index *x)
{
	struct opening o = { x, x->path };
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
	if (r == 0)
		r = mdb_env_create(&x->env);
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

bool
index_self_put(struct mail_index *x, const struct index_self *self)
{
	struct index_key k = index_key_small(0, KIND_FOLDER);

	return index_put(x, SMALL, &k,
		   (struct span){ (const char *)self, sizeof(*self) },
		   (struct span){ NULL, 0 }) == 0;
}

bool
index_self_get(struct mail_index *x, struct index_self *self)
{
	struct index_key k = index_key_small(0, KIND_FOLDER);
	struct span value;

	if (index_get(x, SMALL, &k, &value) != 0 || value.n != sizeof(*self))
		return false;
	memcpy(self, value.p, sizeof(*self));
	self->boot[sizeof(self->boot) - 1] = '\0';
	return self->version == INDEX_VERSION && self->order == 0x01020304;
}

static bool
begin_raw(struct mail_index *x)
{
	int r = mdb_txn_begin(x->env, NULL, 0, &x->writer);

	if (r != 0) {
		x->writer = NULL;
		return index_failed(x, r);
	}
	x->writes = 1;
	x->error = 0;
	return true;
}

static int
commit_call(void *with)
{
	struct mail_index *x = with;
	MDB_txn *txn = x->writer;

	x->writer = NULL;
	return mdb_txn_commit(txn);
}

/*
 * Behind its end the file has some room for itself: on a full disk flags can
 * be set, and what is to make room can be expunged. It is asked for once in
 * many commits.
 */
static void
keep_room(struct mail_index *x)
{
	MDB_envinfo info;
	MDB_stat stat;
	uint64_t end;
	int fd;

	if (mdb_env_info(x->env, &info) != 0 ||
	    mdb_env_stat(x->env, &stat) != 0 ||
	    mdb_env_get_fd(x->env, &fd) != 0)
		return;
	end = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	if (end + ROOM_KEPT / 2 <= x->room)
		return;
	x->room = end;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)end, ROOM_KEPT) == 0)
		x->room += ROOM_KEPT;
}

static bool
commit_raw(struct mail_index *x)
{
	int r = index_guarded(commit_call, x);
	bool done = r == 0 || index_failed(x, r);

	x->writes = 0;
	if (done)
		keep_room(x);
	return done;
}

static void
abort_raw(struct mail_index *x)
{
	if (x->writer != NULL)
		mdb_txn_abort(x->writer);
	x->writer = NULL;
	x->writes = 0;
}

static int
sync_call(void *with)
{
	struct mail_index *x = with;

	return mdb_env_sync(x->env, 1);
}

/*
 * A new file stays, with the name of this boot in it: that the machine has
 * stopped must be known of it, and with it of the mail, ever after.
 */
static bool
keep(struct mail_index *x)
{
	const char *slash = strrchr(x->path, '/');
	char *directory = slash == NULL ?
	    mem_text(".") :
	    mem_printf("%.*s/.", (int)(slash - x->path), x->path);
	int fd, r = -1;

	fd = openat(x->at, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1 && index_guarded(sync_call, x) == 0)
		r = fsync(fd);
	fd_close(&fd);
	free(directory);
	return r == 0 || index_failed(x, EIO);
}

/* An empty file gets its first row, from whoever comes first. */
static bool
found_index(struct mail_index *x)
{
	struct index_self self;

	if (!begin_raw(x))
		return false;
	if (index_self_get(x, &self)) {
		abort_raw(x);
		return true;
	}
	self = (struct index_self){ .version = INDEX_VERSION,
		.order = 0x01020304,
		.next_folder = 1 };
	mail_index_prepare();
	memcpy(self.boot, process_boot_id(), sizeof(self.boot));
	if (x->damaged || !index_self_put(x, &self)) {
		abort_raw(x);
		return false;
	}
	return commit_raw(x) && keep(x);
}

static const char in_use[] = "it was in use when the machine stopped";

/* Is the file one that we may believe? 0, or why not. */
static const char *
distrust(struct mail_index *x)
{
	struct index_self self;
	MDB_stat small;
	const char *what = NULL;

	if (!mail_index_hold(x))
		return "it cannot be read";
	if (mdb_stat(x->reader, x->trees[SMALL], &small) != 0)
		what = "it cannot be read";
	else if (small.ms_entries == 0)
		what = "";
	else if (!index_self_get(x, &self))
		what = "it is damaged, or of another version";
	else if (!self.clean && !this_boot(&self))
		what = in_use;
	mail_index_release(x);
	if (what != NULL && what[0] == '\0')
		what = found_index(x) ? NULL : "it cannot be written";
	return what;
}

static void
close_env(struct mail_index *x)
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
}

/* Opens what is there, else makes it anew. */
static bool
open_index(struct mail_index *x)
{
	const char *what = NULL;

	for (unsigned int attempt = 0; attempt < 2; attempt++) {
		int r, gate = index_gate_enter(x->at, x->path, LOCK_SH);

		/* without room for the gate nobody has it alone either */
		if (gate == -1 && errno != ENOSPC && errno != EDQUOT)
			return index_failed(x, errno);
		r = open_env(x);
		if (r == 0)
			what = distrust(x);
		index_gate_leave(&gate);
		if (r == 0 && what == NULL)
			return true;
		if (r != 0)
			(void)index_failed(x, r);
		if (r != 0 && !x->damaged)
			return false;
		if (r != 0)
			what = "it is damaged";
		close_env(x);
		index_gate_set_aside(x, what);
		x->changed = false;
		x->after_stop = true;
	}
	return false;
}

bool
mail_index_after_stop(const struct mail_index *x)
{
	return x->after_stop;
}

struct mail_index *
mail_index_open(const char *path, struct why *why)
{
	return mail_index_open_at(AT_FDCWD, path, why);
}

struct mail_index *
mail_index_open_at(int at, const char *path, struct why *why)
{
	struct mail_index *x = mem_new(sizeof(*x));

	x->at = at;
	x->path = mem_text(path);
	if (open_index(x))
		return x;
	mail_index_why(x, why);
	free(x->path);
	free(x);
	return NULL;
}

/*
 * A file that turned out to be damaged, or that another process has set
 * aside, is exchanged when no transaction is open.
 */
static bool
renew(struct mail_index *x)
{
	bool was_damaged = x->damaged;

	if (x->writes > 0 || x->holds > 0)
		return !x->damaged;
	close_env(x);
	if (was_damaged) {
		index_gate_set_aside(x, "it is damaged");
		x->after_stop = true;
	}
	index_pending_free(x); /* folders get other numbers */
	x->generation++;
	x->changed = false;
	return open_index(x);
}

static bool
usable(struct mail_index *x)
{
	if (x->env != NULL && !x->damaged)
		return true;
	return renew(x);
}

/* ---- transactions ---- */

/*
 * The mark "clean" goes, on disk, before anything else is changed: after a
 * power cut pages may be a mixture of old and new. Where it had to go the
 * transaction has ended.
 */
static bool
unmark(struct mail_index *x)
{
	struct index_self self;

	if (!index_self_get(x, &self))
		return index_damaged(x);
	if (!self.clean && (x->changed || this_boot(&self)))
		return true;
	self.clean = 0;
	memcpy(self.boot, process_boot_id(), sizeof(self.boot));
	if (!index_self_put(x, &self) || !commit_raw(x))
		return false;
	if (index_guarded(sync_call, x) != 0)
		return index_failed(x, EIO);
	x->changed = true;
	return true;
}

/* In the file that everybody else uses: looked at with its lock held. */
static bool
begin_current(struct mail_index *x)
{
	for (unsigned int attempt = 0; attempt < BEGIN_ATTEMPTS; attempt++) {
		if (!usable(x) || !begin_raw(x))
			return false;
		if (index_gate_current(x)) {
			if (!unmark(x)) {
				abort_raw(x);
				return false;
			}
			if (x->writes > 0)
				return true;
			continue;
		}
		abort_raw(x);
		/* who is reading cannot be moved to another file */
		if (x->holds > 0)
			break;
		if (!renew(x))
			return false;
	}
	return index_failed(x, EAGAIN);
}

bool
mail_index_begin(struct mail_index *x, struct why *why)
{
	if (x->writes > 0) {
		x->writes++;
		return true;
	}
	if (!begin_current(x)) {
		if (why != NULL)
			mail_index_why(x, why);
		return false;
	}
	x->changed = true;
	index_pending_write(x);
	return true;
}

bool
mail_index_commit(struct mail_index *x, struct why *why)
{
	ensure(x->writes > 0);
	if (x->writes > 1) {
		x->writes--;
		return true;
	}
	if (x->damaged) {
		abort_raw(x);
	} else if (commit_raw(x)) {
		return true;
	}
	if (why != NULL)
		mail_index_why(x, why);
	return false;
}

bool
mail_index_go_on(struct mail_index *x, struct why *why)
{
	unsigned int generation = x->generation;

	ensure(x->writes == 1);
	if (!mail_index_commit(x, why) || !mail_index_begin(x, why))
		return false;
	if (x->generation == generation)
		return true;
	abort_raw(x);
	(void)index_failed(x, EAGAIN);
	if (why != NULL)
		mail_index_why(x, why);
	return false;
}

void
mail_index_abort(struct mail_index *x)
{
	abort_raw(x);
}

bool
mail_index_hold(struct mail_index *x)
{
	int r;

	if (x->writes > 0)
		return true;
	if (x->holds == 0 && !usable(x))
		return false;
	x->holds++;
	if (x->reading)
		return true;
	r = x->reader == NULL ?
	    mdb_txn_begin(x->env, NULL, MDB_RDONLY, &x->reader) :
	    mdb_txn_renew(x->reader);
	if (r != 0) {
		x->holds--;
		if (x->reader != NULL)
			mdb_txn_abort(x->reader);
		x->reader = NULL;
		return index_failed(x, r);
	}
	x->reading = true;
	return true;
}

void
mail_index_release(struct mail_index *x)
{
	if (x->holds == 0)
		return; /* it began inside of a write transaction */
	if (--x->holds > 0)
		return;
	index_trim(x);
	for (size_t i = 0; i < INDEX_SEATS; i++)
		x->seats[i].live = false;
	if (x->reading && !x->damaged)
		mdb_txn_reset(x->reader);
	x->reading = false;
}

/*
 * Durable, and marked so: the mark after what it speaks of. It is written in
 * any case the first time, so that the number of the transaction counts: where
 * that has moved on by more than ours, another process has changed something
 * that the flush may not have met; that one sets the mark.
 */
static void
mark_clean(struct mail_index *x)
{
	struct index_self self;
	size_t before;

	if (!begin_raw(x))
		return;
	if (!index_gate_current(x))
		goto out;
	index_pending_write(x);
	before = mdb_txn_id(x->writer);
	if (!index_self_get(x, &self) || !index_self_put(x, &self) ||
	    !commit_raw(x) || index_guarded(sync_call, x) != 0 || !begin_raw(x))
		goto out;
	if (mdb_txn_id(x->writer) != before + 1 || !index_self_get(x, &self))
		goto out;
	self.clean = 1;
	/* pages first, then the one that leads to them, which has the mark */
	(void)mdb_env_set_flags(x->env, MDB_NOSYNC, 0);
	if (index_self_put(x, &self) && commit_raw(x))
		return;
out:
	abort_raw(x);
}

static void
seal(struct mail_index *x)
{
	int fd;

	if (x->env == NULL || !mail_index_hold(x))
		return;
	if (mdb_env_get_fd(x->env, &fd) == 0 &&
	    !index_file_sealed(fd, mdb_txn_id(x->reader)))
		index_file_seal(fd, mdb_txn_id(x->reader));
	mail_index_release(x);
}

void
mail_index_set_aside(struct mail_index *x, const char *what)
{
	index_gate_set_aside(x, what);
}

void
mail_index_close(struct mail_index **xp)
{
	struct mail_index *x = *xp;

	if (x == NULL)
		return;
	*xp = NULL;
	abort_raw(x);
	x->holds = 0;
	if (x->reading && !x->damaged)
		mdb_txn_reset(x->reader);
	x->reading = false;
	mail_index_flush(x);
	if (x->env != NULL && !x->damaged && x->changed)
		mark_clean(x);
	seal(x);
	if (x->damaged)
		index_gate_set_aside(x, "it is damaged");
	close_env(x);
	index_pending_free(x);
	free(x->path);
	free(x);
}
