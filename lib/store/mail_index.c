/* SPDX-License-Identifier: ISC */
/* Opening and closing an index, and what becomes of a damaged one. */
#include "lib/store/mail_index_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/log/log.h"

enum { ROOM_FOR_COMMIT = 1 << 20 };

/*
 * LMDB calls a write that was cut short for want of room EIO: with less free
 * room than that it is put down to this.
 */
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
mail_index_held(const struct mail_index *x)
{
	return x->holds > 0;
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

bool
index_of_this_boot(const struct index_self *self)
{
	const char *boot = process_boot_id();

	return boot[0] != '\0' && strcmp(self->boot, boot) == 0;
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
	if (fd != -1 && index_sync(x))
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

	if (!index_txn_begin(x))
		return false;
	if (index_self_get(x, &self)) {
		index_txn_abort(x);
		return true;
	}
	self = (struct index_self){ .version = INDEX_VERSION,
		.order = 0x01020304,
		.next_folder = 1 };
	mail_index_prepare();
	memcpy(self.boot, process_boot_id(), sizeof(self.boot));
	if (x->damaged || !index_self_put(x, &self)) {
		index_txn_abort(x);
		return false;
	}
	return index_txn_commit(x) && keep(x);
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
	else if (!self.clean && !index_of_this_boot(&self))
		what = in_use;
	mail_index_release(x);
	if (what != NULL && what[0] == '\0')
		what = found_index(x) ? NULL : "it cannot be written";
	return what;
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
		r = index_env_open(x);
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
		index_env_close(x);
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

bool
index_renew(struct mail_index *x)
{
	bool was_damaged = x->damaged;

	if (x->writes > 0 || x->holds > 0)
		return !x->damaged;
	index_env_close(x);
	if (was_damaged) {
		index_gate_set_aside(x, "it is damaged");
		x->after_stop = true;
	}
	index_pending_free(x); /* folders get other numbers */
	x->generation++;
	x->changed = false;
	return open_index(x);
}

bool
index_usable(struct mail_index *x)
{
	if (x->env != NULL && !x->damaged)
		return true;
	return index_renew(x);
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

	if (!index_txn_begin(x))
		return;
	if (!index_gate_current(x))
		goto out;
	index_pending_write(x);
	before = mdb_txn_id(x->writer);
	if (!index_self_get(x, &self) || !index_self_put(x, &self) ||
	    !index_txn_commit(x) || !index_sync(x) || !index_txn_begin(x))
		goto out;
	if (mdb_txn_id(x->writer) != before + 1 || !index_self_get(x, &self))
		goto out;
	self.clean = 1;
	/* pages first, then the one that leads to them, which has the mark */
	(void)mdb_env_set_flags(x->env, MDB_NOSYNC, 0);
	if (index_self_put(x, &self) && index_txn_commit(x))
		return;
out:
	index_txn_abort(x);
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
	index_txn_abort(x);
	x->holds = 0;
	if (x->reading && !x->damaged)
		mdb_txn_reset(x->reader);
	x->reading = false;
	mail_index_flush(x);
	if (x->env != NULL && !x->damaged && x->changed)
		mark_clean(x);
	if (x->damaged)
		index_gate_set_aside(x, "it is damaged");
	index_env_close(x);
	index_pending_free(x);
	free(x->path);
	free(x);
}
