/* SPDX-License-Identifier: ISC */
#include "lib/store/mbox_deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/store/mbox_end.h"
#include "lib/store/mbox_text.h"

enum { NOTED = 1024 }; /* of a message: its queue id is among that */

struct mailbox {
	int at;
	const char *name;
	const char *shown;
	const struct mbox_options *options;
	int lock; /* our dot-lock, while we have it; else -1 */
	int fd;
	struct stat st;
	bool torn; /* the lock notes a part that could not be cut off */
};

static void
pause_s(int64_t seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static enum verdict
failure(struct why *why, const struct mailbox *m, const char *what)
{
	return why_errno(why, deliver_failure_code(errno),
	    "cannot update %s %s. %s", m->options->subject, m->shown, what);
}

static enum verdict
refused(struct why *why, const struct mailbox *m, const char *what)
{
	return why_set(why, "5.2.0", "cannot update %s %s. %s",
	    m->options->subject, m->shown, what);
}

/* What a person may have put in the mailbox's place. */
static enum verdict
examine(struct mailbox *m, struct why *why)
{
	if (fstat(m->fd, &m->st) != 0)
		return failure(why, m, "cannot stat");
	if (!S_ISREG(m->st.st_mode))
		return m->options->any_type && !S_ISFIFO(m->st.st_mode) ?
		    OK :
		    refused(why, m, "destination is not a regular file");
	if (m->st.st_nlink > 1)
		return refused(why, m, "destination has more than one link");
	if (m->options->owner_only && m->st.st_uid != m->options->owner)
		return why_set(why, "4.2.0",
		    "cannot update %s %s. "
		    "destination is not owned by recipient",
		    m->options->subject, m->shown);
	return OK;
}

/*
 * What we read of it is not its reader's access. Of another's file that cannot
 * be had.
 */
static void
read_unnoted(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NOATIME);
}

static enum verdict
open_mailbox(struct mailbox *m, struct why *why)
{
	m->fd = openat(m->at, m->name,
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		O_CLOEXEC,
	    0600);
	if (m->fd >= 0) {
		read_unnoted(m->fd);
		return examine(m, why);
	}
	if (errno == ELOOP)
		return refused(why, m, "destination is a symbolic link");
	if (errno == EISDIR)
		return refused(why, m, "destination is a directory");
	return failure(why, m, "cannot open file");
}

static enum verdict
busy(struct why *why, const struct mailbox *m)
{
	errno = EAGAIN;
	return why_errno(why, "4.2.0",
	    "cannot update %s %s. "
	    "unable to lock for exclusive access",
	    m->options->subject, m->shown);
}

/*
 * NAME.lock. A directory where we may not make files has mail programs that
 * do not lock this way either: then the other kinds must do.
 */
static enum verdict
dot_lock(struct mailbox *m, struct why *why)
{
	bool others = m->options->locks != MBOX_DOTLOCK;

	for (int64_t i = 0;; i++) {
		m->lock =
		    mbox_dotlock_take(m->at, m->name, m->options->stale_s);
		if (m->lock >= 0)
			return OK;
		if (errno != EEXIST || i + 1 >= m->options->attempts)
			break;
		if (i > 0)
			pause_s(m->options->delay_s);
	}
	if (errno == EEXIST)
		return busy(why, m);
	if (others && (errno == EACCES || errno == EPERM))
		return OK;
	return failure(why, m, "cannot create lock file");
}

static enum verdict
kernel_lock(struct mailbox *m, unsigned int kind, struct why *why)
{
	for (int64_t i = 0; mbox_kernel_lock(m->fd, kind) != 0; i++) {
		if (errno != EAGAIN && errno != EINTR)
			return failure(why, m, "cannot lock");
		if (i + 1 >= m->options->attempts)
			return busy(why, m);
		pause_s(m->options->delay_s);
	}
	return OK;
}

static enum verdict
lock_open(struct mailbox *m, struct why *why)
{
	enum verdict v = OK;

	if (!S_ISREG(m->st.st_mode))
		return OK;
	if (m->options->locks & MBOX_FLOCK)
		v = kernel_lock(m, MBOX_FLOCK, why);
	if (v == OK && m->options->locks & MBOX_FCNTL)
		v = kernel_lock(m, MBOX_FCNTL, why);
	/* another program may have written while we waited */
	if (v == OK && fstat(m->fd, &m->st) != 0)
		v = failure(why, m, "cannot stat");
	return v;
}

/*
 * A message that a crash cut short must not swallow the one behind it: an
 * empty line goes in between.
 */
static int
end_torn_message(const struct mailbox *m, struct buf *begin)
{
	off_t size = m->st.st_size;
	char last[2] = "\n\n";

	if (!S_ISREG(m->st.st_mode) || size == 0)
		return 0;
	if (fd_pread_all(m->fd, last + (size == 1), size == 1 ? 1 : 2,
		size == 1 ? 0 : size - 2) != 0)
		return -1;
	if (last[1] != '\n')
		buf_add(begin, "\n\n", 2);
	else if (last[0] != '\n')
		buf_add(begin, "\n", 1);
	return 0;
}

static off_t
room_left(const struct mailbox *m)
{
	if (m->options->limit == 0 || !S_ISREG(m->st.st_mode))
		return 0;
	/* one byte of room means none: 0 would be "no limit" */
	return m->options->limit > m->st.st_size ?
	    m->options->limit - m->st.st_size :
	    1;
}

/* What others write into a file that is none need not begin with "From ". */
static bool
is_mailbox(const struct mailbox *m)
{
	return S_ISREG(m->st.st_mode) && !m->options->any_type;
}

/* A message on its way into the mailbox. */
struct appending {
	struct mailbox *m;
	struct buf begin; /* what goes before it, and the first that is noted */
	off_t left; /* -1: no limit */
	bool begun;
	bool noted; /* in the lock */
};

static void
note(const struct appending *a)
{
	mbox_dotlock_appends(a->m->lock, a->m->fd, &a->m->st,
	    buf_span(&a->begin));
}

/*
 * The first bytes are noted in the lock before they are written: by them who
 * finds a part knows it. Not of a file that is no mailbox.
 */
static int
write_begin(struct appending *a, const char *data, size_t n)
{
	struct buf *begin = &a->begin;
	size_t line = begin->n;

	if (a->begun)
		return 0;
	a->begun = true;
	if (is_mailbox(a->m)) {
		buf_add(begin, data, n < NOTED ? n : NOTED);
		a->noted = true;
		note(a);
	}
	return fd_write_all(a->m->fd, buf_text(begin), line);
}

static int
write_piece(void *with, const void *data, size_t n)
{
	struct appending *a = with;

	if (write_begin(a, data, n) != 0)
		return -1;
	if (a->left >= 0 && (off_t)n > a->left) {
		errno = EFBIG;
		return -1;
	}
	if (a->left >= 0)
		a->left -= (off_t)n;
	return fd_write_all(a->m->fd, data, n);
}

static int
write_message(struct appending *a, const struct deliver_source *s)
{
	const struct mailbox *m = a->m;
	off_t room = room_left(m);
	int result = end_torn_message(m, &a->begin);

	a->left = room > 0 ? room : -1;
	if (result == 0 &&
	    !mbox_make_from_line(&a->begin, m->options->sender, "\n")) {
		errno = EMSGSIZE;
		result = -1;
	}
	if (result == 0)
		result = deliver_each_form(s, DELIVER_MBOX, write_piece, a);
	if (result == 0)
		result = write_begin(a, "", 0);
	if (result == 0)
		result = fd_write_all(m->fd, "\n", 1);
	if (result == 0 && a->noted)
		result = mbox_dotlock_appended(m->lock, m->fd);
	return result;
}

/*
 * What was written of it goes again. Noted once more, for who finds the lock
 * should we die amid that; and where it cannot be done.
 */
static int
take_back(const struct appending *a)
{
	struct mailbox *m = a->m;

	if (!S_ISREG(m->st.st_mode))
		return 0;
	if (a->noted)
		note(a);
	if (mbox_end_cut(m->fd, m->st.st_size) == 0)
		return 0;
	m->torn = a->noted;
	return -1;
}

static enum verdict
append(struct mailbox *m, const struct deliver_source *s, struct why *why)
{
	struct appending a = { .m = m, .begin = BUF_INIT(MBOX_BEGIN_MAX) };
	enum verdict v = OK;

	if (is_mailbox(m))
		m->st.st_size = mbox_end_mend(m->fd, m->st.st_size);
	if (write_message(&a, s) != 0 ||
	    (S_ISREG(m->st.st_mode) &&
		file_system_commit(m->fd, m->st.st_dev, FILE_TIME_WRITTEN) !=
		    0)) {
		v = failure(why, m, "error writing message");
		if (take_back(&a) != 0)
			v = failure(why, m, "error truncating after a failure");
	}
	buf_fini(&a.begin);
	return v;
}

/* /dev/null and the like need no lock. */
static bool
is_special(const struct mailbox *m)
{
	struct stat st;

	return m->options->any_type &&
	    fstatat(m->at, m->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISREG(st.st_mode);
}

enum verdict
mbox_deliver(int at, const char *name, const char *shown,
    const struct deliver_source *s, const struct mbox_options *o,
    struct why *why)
{
	struct mailbox m = { .at = at,
		.name = name,
		.shown = shown,
		.options = o,
		.lock = -1,
		.fd = -1 };
	enum verdict v = OK;

	if (o->locks & MBOX_DOTLOCK && !is_special(&m))
		v = dot_lock(&m, why);
	if (v == OK)
		v = open_mailbox(&m, why);
	if (v == OK)
		v = lock_open(&m, why);
	if (v == OK)
		v = append(&m, s, why);
	fd_close(&m.fd);
	if (m.torn)
		fd_close(&m.lock); /* it stays, as of one who died */
	mbox_dotlock_give_back(at, name, &m.lock);
	return v;
}
