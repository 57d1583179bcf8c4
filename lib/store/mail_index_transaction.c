/* SPDX-License-Identifier: ISC */
/* Transactions on the index, and the mark that goes before the first. */
#include "lib/store/mail_index_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/process.h"
#include "lib/store/mail_index_guard.h"

enum {
	BEGIN_ATTEMPTS = 8, /* others may exchange the file meanwhile */
	SEAL_WAITS = 10, /* a millisecond each */
};

/*
 * Who committed last seals just after the lock is gone, perhaps only now. To
 * go on from that seal also means that a late one cannot undo the next.
 */
static bool
sealed_soon(int fd, uint64_t last)
{
	for (unsigned int i = 0; i < SEAL_WAITS; i++) {
		(void)poll(NULL, 0, 1);
		if (index_file_sealed(fd, last))
			return true;
	}
	return false;
}

/*
 * The chain of custody begins, with the writers' lock: sealed after the last
 * transaction, whosever that was, or looked through now. False: damaged.
 */
static bool
take_custody(struct mail_index *x)
{
	uint64_t last = mdb_txn_id(x->writer) - 1;
	enum index_verdict verdict;
	int fd;

	x->custody = false;
	if (mdb_env_get_fd(x->env, &fd) != 0)
		return true;
	x->custody = index_file_sealed(fd, last) ||
	    (!x->sealless && sealed_soon(fd, last));
	if (x->custody)
		x->sealless = false;
	if (x->custody || x->sealless)
		return true;
	verdict = index_file_prove(fd, last);
	x->custody = verdict == INDEX_SOUND && index_file_sealed(fd, last);
	x->sealless = verdict == INDEX_SOUND && !x->custody;
	return verdict != INDEX_DAMAGED;
}

bool
index_txn_begin(struct mail_index *x)
{
	int r = mdb_txn_begin(x->env, NULL, 0, &x->writer);

	if (r != 0) {
		x->writer = NULL;
		return index_failed(x, r);
	}
	x->writes = 1;
	x->error = 0;
	if (take_custody(x))
		return true;
	index_txn_abort(x);
	return index_damaged(x);
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
 * many commits, where the new end is known, and before the seal: it may change
 * the time that is the seal. A transaction that wrote nothing leaves the file,
 * its number and its seal alone.
 */
static void
keep_room(struct mail_index *x, uint64_t transaction)
{
	MDB_envinfo info;
	MDB_stat stat;
	uint64_t end;
	int fd;

	if (mdb_env_info(x->env, &info) != 0 ||
	    mdb_env_stat(x->env, &stat) != 0 ||
	    mdb_env_get_fd(x->env, &fd) != 0 ||
	    info.me_last_txnid < transaction)
		return;
	end = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	if (end + INDEX_ROOM_KEPT / 2 <= x->room)
		return;
	x->room = end;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)end, INDEX_ROOM_KEPT) ==
	    0)
		x->room += INDEX_ROOM_KEPT;
}

void
index_txn_seal(struct mail_index *x, uint64_t transaction)
{
	MDB_envinfo info;
	int fd;

	if (x->custody && mdb_env_get_fd(x->env, &fd) == 0 &&
	    mdb_env_info(x->env, &info) == 0 &&
	    info.me_last_txnid == transaction)
		index_file_seal(fd, transaction);
}

/*
 * What was not written by us since the transaction began may be damage: then
 * it is not sealed, and looked through by who begins next. Pages that a commit
 * has written before it failed are ours.
 */
bool
index_txn_commit(struct mail_index *x)
{
	uint64_t transaction = mdb_txn_id(x->writer);
	bool done;
	int fd, r;

	if (mdb_env_get_fd(x->env, &fd) != 0 ||
	    !index_file_sealed(fd, transaction - 1))
		x->custody = false;
	r = index_guarded(commit_call, x);
	done = r == 0 || index_failed(x, r);
	x->writes = 0;
	if (done)
		keep_room(x, transaction);
	if (!x->damaged)
		index_txn_seal(x, done ? transaction : transaction - 1);
	return done;
}

void
index_txn_abort(struct mail_index *x)
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

bool
index_sync(struct mail_index *x)
{
	return index_guarded(sync_call, x) == 0;
}

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
	if (!self.clean && (x->changed || index_of_this_boot(&self)))
		return true;
	self.clean = 0;
	memcpy(self.boot, process_boot_id(), sizeof(self.boot));
	if (!index_self_put(x, &self) || !index_txn_commit(x))
		return false;
	if (!index_sync(x))
		return index_failed(x, EIO);
	x->changed = true;
	return true;
}

/* In the file that everybody else uses: looked at with its lock held. */
static bool
begin_current(struct mail_index *x)
{
	for (unsigned int attempt = 0; attempt < BEGIN_ATTEMPTS; attempt++) {
		if (!index_usable(x))
			return false;
		if (!index_txn_begin(x)) {
			if (!x->damaged || x->holds > 0)
				return false;
			continue; /* in the one that is made instead */
		}
		if (index_gate_current(x)) {
			if (!unmark(x)) {
				index_txn_abort(x);
				return false;
			}
			if (x->writes > 0)
				return true;
			continue;
		}
		index_txn_abort(x);
		/* who is reading cannot be moved to another file */
		if (x->holds > 0)
			break;
		if (!index_renew(x))
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
		index_txn_abort(x);
	} else if (index_txn_commit(x)) {
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
	index_txn_abort(x);
	(void)index_failed(x, EAGAIN);
	if (why != NULL)
		mail_index_why(x, why);
	return false;
}

void
mail_index_abort(struct mail_index *x)
{
	index_txn_abort(x);
}

bool
mail_index_hold(struct mail_index *x)
{
	int r;

	if (x->writes == 0 && x->holds == 0 && !index_usable(x))
		return false;
	x->holds++;
	if (x->reading || x->writes > 0)
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
		return; /* of an index that was closed meanwhile */
	if (--x->holds > 0)
		return;
	index_trim(x);
	for (size_t i = 0; i < INDEX_SEATS; i++)
		x->seats[i].live = false;
	if (x->reading && !x->damaged)
		mdb_txn_reset(x->reader);
	x->reading = false;
}
