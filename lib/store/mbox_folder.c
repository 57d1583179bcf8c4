/* SPDX-License-Identifier: ISC */
/*
 * The file of a folder: its locks, its state, its texts.
 *
 * SECURITY: it is written by deliveries of strangers' mail and by its owner's
 * programs, and can change, shrink or vanish between any two calls. What is
 * believed of it is what was read under its locks; a text is compared with
 * its digest each time.
 */
#include "lib/store/mbox_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mbox_lock.h"
#include "lib/store/mbox_rewrite.h"
#include "lib/store/mbox_text.h"
#include "lib/task/task.h"

enum { PAUSE_MS = 50 };

/* ---- a file in the account's tree ---- */

/* Folders are renamed: where it is now. False: it is no folder any more. */
static bool
path_of(struct mailbox_folder *f, struct mail_place *out)
{
	if (mail_place_find(f->account->tree, span_of(f->name), out) != MAIL_OK)
		return false;
	if (out->kind == PLACE_FOLDER)
		return true;
	mail_place_fini(out);
	return false;
}

static int
open_at(struct mailbox_folder *f, const char *path)
{
	const struct mail_mbox_settings *s = &f->account->mbox;
	int root = f->account->tree->root, error, fd;
	struct stat st;

	if ((s->locks & MBOX_DOTLOCK) != 0) {
		f->mbox->dot_lock = mbox_dotlock_take(root, path, s->stale_s);
		if (f->mbox->dot_lock == -1) {
			errno = errno == EEXIST ? EAGAIN : errno;
			return -1;
		}
	}
	fd = openat(root, path,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	error = fd == -1 ? errno : EPERM;
	fd_close(&fd);
	mbox_dotlock_give_back(root, path, &f->mbox->dot_lock);
	errno = error;
	return -1;
}

static int
open_own(void *with)
{
	struct mailbox_folder *f = with;
	struct mail_place p;
	int error, fd;

	if (!path_of(f, &p)) {
		errno = ENOENT;
		return -1;
	}
	fd = open_at(f, p.path);
	error = errno;
	mail_place_fini(&p);
	errno = error;
	return fd;
}

static void
unlock_own(void *with)
{
	struct mailbox_folder *f = with;
	struct mail_place p;

	if (f->mbox->dot_lock == -1 || !path_of(f, &p)) {
		fd_close(&f->mbox->dot_lock);
		return;
	}
	mbox_dotlock_give_back(f->account->tree->root, p.path,
	    &f->mbox->dot_lock);
	mail_place_fini(&p);
}

static bool
take_own(struct mailbox_folder *f)
{
	struct mbox_folder *b = f->mbox;

	b->own = (struct mbox_access){
		.open = open_own,
		.unlock = unlock_own,
		.with = f,
		.locks = f->account->mbox.locks,
	};
	b->own.journal = openat(f->files.dir, "journal",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	b->access = &b->own;
	return b->own.journal != -1;
}

static enum mail_result
open_folder(struct mailbox_folder *f, int directory, struct why *why)
{
	struct mbox_folder *b = f->mbox = mem_new(sizeof(*b));

	f->files.dir = f->files.control = directory;
	b->fd = b->text = b->dot_lock = -1;
	b->own.journal = -1;
	b->access =
	    strcmp(f->name, "INBOX") == 0 ? f->account->mbox.inbox : NULL;
	if (b->access != NULL || take_own(f))
		return MAIL_OK;
	return mailbox_disk_failed("cannot open the mailbox", why);
}

static void
close_folder(struct mailbox_folder *f)
{
	struct mbox_folder *b = f->mbox;

	if (b != NULL) {
		fd_close(&b->text);
		fd_close(&b->fd);
		fd_close(&b->own.journal);
	}
	free(b);
	f->mbox = NULL;
	maildir_folder_close(&f->files);
}

/* ---- locks ---- */

static bool
pause_before(int64_t deadline)
{
	return clock_ms() < deadline &&
	    wait_until(clock_ms() + PAUSE_MS) != WAIT_CANCELLED;
}

static enum mail_result
in_use(struct why *why)
{
	why_set(why, "4.2.0", "the mailbox is locked by another program");
	return MAIL_IN_USE;
}

/* EAGAIN: locked. ENOENT: there is none, *b->fd is -1. */
static int
try_lock(struct mbox_folder *b)
{
	int error, fd = b->access->open(b->access->with);

	if (fd == -1)
		return -1;
	if (mbox_kernel_lock(fd, b->access->locks) == -1) {
		error = errno;
		b->access->unlock(b->access->with);
		fd_close(&fd);
		errno = error;
		return -1;
	}
	fd_close(&b->fd);
	b->fd = fd;
	return 0;
}

static enum mail_result
take_locks(struct mbox_folder *b, int64_t deadline, struct why *why)
{
	while (try_lock(b) == -1) {
		if (errno == ENOENT) {
			fd_close(&b->fd);
			return MAIL_OK;
		}
		if (errno != EAGAIN && errno != EINTR)
			return mailbox_disk_failed("cannot open the mailbox",
			    why);
		if (!pause_before(deadline))
			return in_use(why);
	}
	if (mbox_recover(b->fd, b->access->journal, why) == 0)
		return MAIL_OK;
	mbox_kernel_unlock(b->fd, b->access->locks);
	b->access->unlock(b->access->with);
	return MAIL_FAILED;
}

enum mail_result
mbox_folder_lock(struct mailbox *m, int64_t wait_ms, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct mbox_folder *b = f->mbox;
	int64_t deadline = clock_ms() + wait_ms;
	enum mail_result r;

	while (b->busy)
		if (!pause_before(deadline))
			return in_use(why);
	if (f->deleted) {
		why_set(why, "5.2.0", "the mailbox was deleted");
		return MAIL_NONEXISTENT;
	}
	b->busy = true;
	r = take_locks(b, deadline, why);
	b->busy = r == MAIL_OK;
	return r;
}

void
mbox_folder_unlock(struct mailbox *m)
{
	struct mbox_folder *b = m->folder->mbox;

	if (b->fd != -1) {
		mbox_kernel_unlock(b->fd, b->access->locks);
		b->access->unlock(b->access->with);
	}
	b->busy = false;
}

enum mail_result
mbox_folder_create(struct mailbox *m, struct why *why)
{
	struct mbox_folder *b = m->folder->mbox;

	if (b->fd != -1)
		return MAIL_OK;
	if (b->access->create == NULL) {
		why_set(why, "5.2.0", "there is no such mailbox");
		return MAIL_NONEXISTENT;
	}
	if (b->access->create(b->access->with) == -1)
		return mailbox_disk_failed("cannot make the mailbox", why);
	return take_locks(b, clock_ms(), why);
}

/* ---- its state ---- */

/* What a flag costs is one write in place: then the size is the same. */
static int
stamp(struct mailbox_folder *f, struct mail_stamp *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (f->mbox->fd == -1)
		return 0;
	if (fstat(f->mbox->fd, &st) == -1)
		return -1;
	out->seconds = st.st_ctim.tv_sec;
	out->nanoseconds = (uint32_t)st.st_ctim.tv_nsec;
	out->size = (uint32_t)st.st_size;
	return 0;
}

/* Beside row.cur: the whole size, and which file it is. */
static bool
identity(struct mailbox_folder *f, struct mail_stamp *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (f->mbox->fd == -1)
		return true;
	/* replaced by another file, or removed: a lock will tell */
	if (fstat(f->mbox->fd, &st) == -1 || st.st_nlink == 0)
		return false;
	out->seconds = st.st_size;
	out->nanoseconds = (uint32_t)st.st_ino;
	out->size = (uint32_t)(st.st_ino >> 32);
	return true;
}

/*
 * The file as it was locked last; one that took its name over meanwhile is
 * for the next look.
 */
static size_t
points(struct mailbox_folder *f, bool rights,
    struct mailbox_point out[MAILBOX_POINTS])
{
	struct mail_stamp now;

	(void)rights; /* these are nobody else's */
	if (f->mbox->fd == -1 || f->mbox->busy || f->dirty ||
	    stamp(f, &now) == -1 || !mail_stamp_settled(&now))
		return 0;
	out[0].fd = fcntl(f->mbox->fd, F_DUPFD_CLOEXEC, 0);
	out[0].changed = (uint64_t)now.seconds * 1000000000U + now.nanoseconds;
	return out[0].fd == -1 ? 0 : 1;
}

void
mbox_folder_note(struct mailbox_folder *f)
{
	if (stamp(f, &f->row.cur) == -1 || !identity(f, &f->row.new))
		memset(&f->row.cur, 0, sizeof(f->row.cur));
	f->mbox->known = true;
	f->dirty = false;
	f->own = true;
}

bool
mbox_folder_unchanged(struct mailbox_folder *f)
{
	struct mail_stamp now, file;

	return stamp(f, &now) == 0 && identity(f, &file) &&
	    mail_stamp_equal(&now, &f->row.cur) &&
	    mail_stamp_equal(&file, &f->row.new);
}

int64_t
mbox_folder_size_now(const struct mailbox_folder *f)
{
	struct stat st;

	return f->mbox->fd == -1 || fstat(f->mbox->fd, &st) == -1 ?
	    -1 :
	    (int64_t)st.st_size;
}

static int
flush(struct mailbox_folder *f)
{
	return f->mbox->fd == -1 ? 0 : fsync(f->mbox->fd);
}

/* ---- rows ---- */

void
mbox_row_write(const struct mbox_message *m, char out[MBOX_ROW_MAX])
{
	int n = snprintf(out, MBOX_ROW_MAX,
	    "%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%x.",
	    m->start, m->text - m->start, m->text_end - m->start,
	    m->end - m->start, m->notes.room == 0 ? 0 : m->notes.at - m->start,
	    m->notes.room);

	for (size_t i = 0; i < MBOX_DIGEST_SIZE; i++)
		n += snprintf(out + n, 3, "%02x", m->digest[i]);
}

static bool
take_number(struct span *rest, int64_t *out)
{
	struct span part;
	char text[24], *end;

	if (!span_cut(rest, ".", false, &part) || part.n == 0 || part.n > 16)
		return false;
	memcpy(text, part.p, part.n);
	text[part.n] = '\0';
	*out = (int64_t)strtoull(text, &end, 16);
	return *end == '\0' && *out >= 0;
}

static bool
take_digest(struct span hex, unsigned char out[MBOX_DIGEST_SIZE])
{
	if (hex.n != (size_t)2 * MBOX_DIGEST_SIZE)
		return false;
	for (size_t i = 0; i < MBOX_DIGEST_SIZE; i++) {
		char two[3] = { hex.p[2 * i], hex.p[2 * i + 1], '\0' }, *end;

		out[i] = (unsigned char)strtoul(two, &end, 16);
		if (end != two + 2)
			return false;
	}
	return true;
}

bool
mbox_row_read(struct span name, struct mbox_message *out)
{
	int64_t n[6];

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < 6; i++)
		if (!take_number(&name, &n[i]) || n[i] > INT64_MAX / 4)
			return false;
	if (!take_digest(name, out->digest) || n[1] > n[2] || n[2] > n[3] ||
	    n[5] > UINT32_MAX || n[4] + n[5] > n[3])
		return false;
	out->start = n[0];
	out->text = n[0] + n[1];
	out->text_end = n[0] + n[2];
	out->end = n[0] + n[3];
	out->notes.at = n[0] + n[4];
	out->notes.room = (uint32_t)n[5];
	return true;
}

/* ---- texts ---- */

/* The text in a file of its own, which is kept for who asks again. */
static enum mail_result
copy_text(struct mailbox *m, const struct mail_index_message *row,
    struct why *why)
{
	struct mbox_folder *b = m->folder->mbox;
	struct mbox_message at;

	fd_close(&b->text);
	b->text_uid = 0;
	if (b->fd == -1 || !mbox_row_read(row->name, &at)) {
		errno = ESTALE;
		return mailbox_disk_failed("cannot read the message", why);
	}
	b->text = mbox_text_file(m->folder->files.dir, at.end - at.start);
	if (b->text == -1)
		return mailbox_disk_failed("cannot read the message", why);
	b->text_length = mbox_text_copy(b->fd, &at, b->text);
	if (b->text_length == -1) {
		int error = errno;

		fd_close(&b->text);
		errno = error;
		return mailbox_disk_failed("cannot read the message", why);
	}
	b->text_uid = row->uid;
	return MAIL_OK;
}

static enum mail_result
row_of(struct mailbox *m, uint32_t uid, char name[MBOX_ROW_MAX],
    struct mail_index_message *row, struct why *why)
{
	struct mail_index *x = m->account->index;
	enum mail_result r = mailbox_hold_rows(m, why);

	if (r != MAIL_OK)
		return r;
	r = mailbox_row(m, uid, row, why);
	if (r == MAIL_OK) {
		size_t n = row->name.n < MBOX_ROW_MAX ? row->name.n : 0;

		memcpy(name, row->name.p, n);
		row->name = (struct span){ name, n };
	}
	mail_index_release(x);
	return r;
}

/*
 * It is not where it was: others have changed the file. Where it is now the
 * next look says; not while something is held or changed.
 */
static enum mail_result
open_text(struct mailbox *m, uint32_t uid, struct why *why)
{
	struct mail_index *x = m->account->index;
	struct mail_index_message row;
	char name[MBOX_ROW_MAX];
	enum mail_result r = row_of(m, uid, name, &row, why);

	if (r != MAIL_OK || m->folder->mbox->text_uid == uid)
		return r;
	r = copy_text(m, &row, why);
	if (r == MAIL_OK || why->error != ESTALE)
		return r;
	m->folder->dirty = true;
	if (m->holds > 0 || mail_index_writing(x))
		return r;
	r = mailbox_sync(m, why);
	if (r == MAIL_OK)
		r = row_of(m, uid, name, &row, why);
	return r == MAIL_OK ? copy_text(m, &row, why) : r;
}

static enum mail_result
fetch(struct mailbox *m, uint32_t uid, struct store_blob *out, struct why *why)
{
	struct mbox_folder *b = m->folder->mbox;
	enum mail_result r = open_text(m, uid, why);
	int fd;

	if (r != MAIL_OK)
		return r;
	fd = fcntl(b->text, F_DUPFD_CLOEXEC, 0);
	if (fd == -1)
		return mailbox_disk_failed("cannot read the message", why);
	*out = (struct store_blob){ .fd = fd,
		.length = b->text_length,
		.crlf = true };
	return MAIL_OK;
}

static enum mail_result
learn(struct mailbox *m, struct mail_index_message *row, uint32_t lacks,
    struct why *why)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *all;
	struct store_blob blob;
	char chunk[16384];
	enum mail_result r;
	int64_t n;

	/* all else is known when a message is taken up */
	if ((lacks & HAVE_ID) == 0)
		return MAIL_OK;
	r = fetch(m, row->uid, &blob, why);
	if (r != MAIL_OK)
		return r;
	all = EVP_MD_CTX_new();
	ensure(all != NULL && EVP_DigestInit_ex(all, EVP_sha256(), NULL) == 1);
	while ((n = store_blob_read(&blob, chunk, sizeof(chunk))) > 0)
		ensure(EVP_DigestUpdate(all, chunk, (size_t)n) == 1);
	if (n < 0)
		r = mailbox_disk_failed("cannot read the message", why);
	ensure(EVP_DigestFinal_ex(all, digest, NULL) == 1);
	EVP_MD_CTX_free(all);
	store_blob_close(&blob);
	if (r != MAIL_OK)
		return r;
	memcpy(row->email_id, digest, MAIL_INDEX_ID);
	row->have |= HAVE_ID;
	mail_index_note(m->account->index, m->folder->row.number, row);
	return MAIL_OK;
}

/* ---- the kind ---- */

/* By bytes: notes are in the texts, and differ. */
static enum mail_result
copy(struct mailbox *from, const struct uid_set *uids, struct mailbox *to,
    const struct mail_copying *how, struct mail_copies *out, struct why *why)
{
	struct mail_copying all = *how;

	all.flags = MAIL_SYSTEM_FLAGS;
	all.keywords = true;
	return mailbox_copy_across(from, uids, to, &all, out, why);
}

const struct mailbox_kind *
mailbox_kind_mbox(void)
{
	static const struct mailbox_kind kind = {
		.open = open_folder,
		.close = close_folder,
		.stamp = stamp,
		.flush = flush,
		.points = points,
		.sync = mbox_folder_sync,
		.load = mbox_folder_load,
		.learn = learn,
		.fetch = fetch,
		.change_flags = mbox_flags_change,
		.expunge = mbox_flags_expunge,
		.copy = copy,
		.append_new = mbox_append_new,
		.append_free = mbox_append_free,
		.append_begin = mbox_append_begin,
		.append_write = mbox_append_write,
		.append_commit = mbox_append_commit,
	};

	return &kind;
}
