/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/log/log.h"
#include "lib/store/beneath.h"

static const char *const folders[] = { "tmp", "new", "cur" };

static bool
is_complete(int maildir)
{
	for (size_t i = 0; i < 3; i++)
		if (faccessat(maildir, folders[i], F_OK, AT_SYMLINK_NOFOLLOW) !=
		    0)
			return false;
	return true;
}

/* Adds tmp, new and cur where they are missing; -1 when it cannot. */
static int
complete(int fd)
{
	if (fd < 0 || is_complete(fd))
		return fd;
	for (size_t i = 0; i < 3; i++)
		if (mkdirat(fd, folders[i], 0700) != 0 && errno != EEXIST) {
			fd_close(&fd);
			return -1;
		}
	return fd;
}

int
maildir_open(int base, const char *path, bool create)
{
	int fd = beneath_open(base, path, O_PATH | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT && create &&
	    beneath_make(base, path, 0700) == 0)
		fd = beneath_open(base, path, O_PATH | O_DIRECTORY, 0);
	return create ? complete(fd) : fd;
}

/* mkdir -p */
static int
make_all(const char *path)
{
	char *part = mem_text(path);
	int result = 0;

	for (char *slash = strchr(part + 1, '/'); result == 0;
	     slash = strchr(slash + 1, '/')) {
		if (slash != NULL)
			*slash = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			result = -1;
		if (slash == NULL)
			break;
		*slash = '/';
	}
	free(part);
	return result;
}

int
maildir_open_path(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make_all(path) == 0)
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return complete(fd);
}

/* A slash or colon in a file name would mean something. */
static void
add_host(struct buf *b, const char *host)
{
	for (; *host != '\0' && b->n < 180; host++) {
		if (*host == '/')
			buf_add_text(b, "\\057");
		else if (*host == ':' || *host == ',')
			buf_printf(b, "\\%03o", *host);
		else
			buf_add_char(b, *host);
	}
}

/* Up to the size, which may become known only later. */
static void
unique_name(const struct deliver_source *s, struct buf *name)
{
	int64_t now = clock_wall_us();

	buf_printf(name, "%lld.M%06lldP%ld_%s.", (long long)(now / 1000000),
	    (long long)(now % 1000000), (long)process_id(), s->queue_id);
	add_host(name, s->host);
}

static void
add_sizes(struct buf *name, off_t size, off_t crlf_size)
{
	buf_printf(name, ",S=%lld,W=%lld", (long long)size,
	    (long long)crlf_size);
}

static int
open_folder(int maildir, const char *name)
{
	return openat(maildir, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static enum verdict
failure(struct why *why, const char *what)
{
	return why_errno(why, deliver_failure_code(errno),
	    "maildir delivery failed: %s", what);
}

/* Bytes the content has with CRLF: what W= says. */
static off_t
crlf_size(const struct deliver_source *s)
{
	return (off_t)s->headers.n + s->size;
}

/*
 * From tmp to new, under a name that now has the size. renameat2 with
 * NOREPLACE would be the belt to the name's braces, but not all file systems
 * have it; the name holds the queue id, the microsecond and our pid.
 */
static int
publish(int tmp, const char *from, int new, const char *to)
{
	if (renameat2(tmp, from, new, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return renameat(tmp, from, new, to);
}

bool
maildir_counted(const struct maildir_place *to)
{
	struct stat st;

	return fstatat(to->new, "../maildirsize", &st, AT_SYMLINK_NOFOLLOW) ==
	    0;
}

static enum verdict
full(bool bounces, struct why *why)
{
	return why_set(why, bounces ? "5.2.2" : "4.2.2", "mailbox is full");
}

/* Others were quicker, who may yet fail: asked again, it has room or not. */
static enum verdict
contended(struct why *why)
{
	return why_set(why, "4.2.2", "mailbox is full, if all that comes fits");
}

enum verdict
maildir_take_room(int maildir, off_t bytes, const struct deliver_source *s,
    struct maildir_claim *claim, struct why *why)
{
	switch (maildir_size_take(maildir, (uint64_t)bytes, 1, claim)) {
	case MAILDIR_ROOM_TAKEN:
		return OK;
	case MAILDIR_ROOM_NONE:
		return full(s->full_bounces, why);
	case MAILDIR_ROOM_CONTENDED:
	case MAILDIR_ROOM_UNKNOWN:
		break;
	}
	return contended(why);
}

static int
begin_writeback(int fd)
{
	return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static int
wait_for_writeback(int fd)
{
	return sync_file_range(fd, 0, 0,
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
		SYNC_FILE_RANGE_WAIT_AFTER);
}

static int
write_file(struct maildir_copy *c, const struct deliver_source *s,
    enum deliver_form form, off_t limit)
{
	struct stat st;

	if (deliver_copy(s, form, limit, c->fd) != 0 || fstat(c->fd, &st) != 0)
		return -1;
	c->size = st.st_size;
	c->device = st.st_dev;
	c->ordered = fd_is_ordered(c->fd);
	/* the others of a group are written meanwhile */
	return c->ordered ? begin_writeback(c->fd) : 0;
}

static void
name_copy(struct maildir_copy *c, const struct deliver_source *s)
{
	struct buf name = BUF_INIT(MAILDIR_NAME_MAX);

	buf_add_text(&name, c->tmp_name);
	add_sizes(&name, c->size, crlf_size(s));
	snprintf(c->name, sizeof(c->name), "%s", buf_text(&name));
	buf_fini(&name);
}

static enum verdict
create_and_write(struct maildir_copy *c, const struct deliver_source *s,
    enum deliver_form form, off_t limit, struct why *why)
{
	struct buf name = BUF_INIT(MAILDIR_NAME_MAX);

	unique_name(s, &name);
	snprintf(c->tmp_name, sizeof(c->tmp_name), "%s", buf_text(&name));
	buf_fini(&name);
	c->fd = openat(c->tmp, c->tmp_name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (c->fd < 0)
		return failure(why, "create file in tmp");
	if (write_file(c, s, form, limit) != 0)
		return maildir_copy_failed(why);
	name_copy(c, s);
	return OK;
}

static bool
open_folders(struct maildir_copy *c, int maildir)
{
	struct stat st;

	c->root = openat(maildir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root < 0 || fstat(c->root, &st) != 0)
		return false;
	c->mailbox = st.st_ino;
	c->tmp = open_folder(maildir, "tmp");
	c->new = c->tmp < 0 ? -1 : open_folder(maildir, "new");
	return c->new >= 0;
}

enum verdict
maildir_copy_write(struct maildir_copy *c, int maildir,
    const struct deliver_source *s, enum deliver_form form, off_t limit,
    struct why *why)
{
	enum verdict v;

	*c = (struct maildir_copy){ .root = -1,
		.tmp = -1,
		.new = -1,
		.fd = -1,
		.full_bounces = s->full_bounces };
	/* what does not fit is not written to learn that */
	if (!maildir_size_room(maildir, (uint64_t)crlf_size(s)))
		v = full(s->full_bounces, why);
	else if (!open_folders(c, maildir))
		v = failure(why, "open tmp and new");
	else
		v = create_and_write(c, s, form, limit, why);
	if (v != OK)
		maildir_copy_end(c, false);
	return v;
}

enum verdict
maildir_copy_enter(struct maildir_copy *c, struct why *why)
{
	struct maildir_claim claim;
	enum verdict v;

	if ((c->ordered ? wait_for_writeback(c->fd) : fsync(c->fd)) != 0)
		return maildir_copy_failed(why);
	/* there was room when it was written */
	if (maildir_size_take(c->root, (uint64_t)c->size, 1, &claim) !=
	    MAILDIR_ROOM_TAKEN)
		return contended(why);
	c->entered = publish(c->tmp, c->tmp_name, c->new, c->name) == 0;
	v = c->entered ? OK : failure(why, "rename into new");
	/* given back while who begins to count still waits for it */
	if (!c->entered)
		maildir_claim_settle(&claim, c->root, 0, 0);
	maildir_claim_end(&claim);
	return v;
}

int
maildir_copy_flush(struct maildir_copy *c)
{
	return fsync(c->ordered ? c->fd : c->new);
}

bool
maildir_copy_device_lives(const struct maildir_copy *c)
{
	/* mtime stays: it is when the message came */
	return file_system_takes_changes(c->fd, c->device, FILE_TIME_READ) == 0;
}

bool
maildir_copy_flush_device(const struct maildir_copy *c)
{
	return c->ordered && file_system_commit_all(c->fd) == 0;
}

void
maildir_copy_end(struct maildir_copy *c, bool keep)
{
	if (!keep && c->entered) {
		if (unlinkat(c->new, c->name, 0) == 0)
			maildir_size_add(c->root, -(int64_t)c->size, -1);
	} else if (!keep && c->fd >= 0) {
		unlinkat(c->tmp, c->tmp_name, 0);
	}
	fd_close(&c->fd);
	fd_close(&c->tmp);
	fd_close(&c->new);
	fd_close(&c->root);
}

enum verdict
maildir_copy_failed(struct why *why)
{
	return failure(why, "error writing message");
}

enum verdict
maildir_copy(int maildir, const struct deliver_source *s,
    enum deliver_form form, off_t limit, struct why *why)
{
	struct maildir_copy c;
	enum verdict v = maildir_copy_write(&c, maildir, s, form, limit, why);

	if (v != OK)
		return v;
	v = maildir_copy_enter(&c, why);
	if (v == OK &&
	    (maildir_copy_flush(&c) != 0 || !maildir_copy_device_lives(&c)))
		v = maildir_copy_failed(why);
	maildir_copy_end(&c, v == OK);
	return v;
}

/* Is the name still the file that we were asked to deliver, and alone? */
static bool
same_file(const char *path, int fd, struct stat *st)
{
	struct stat named;

	return fstat(fd, st) == 0 && lstat(path, &named) == 0 &&
	    S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	    st->st_ino == named.st_ino && st->st_dev == named.st_dev;
}

static bool
give_to(int fd, uid_t uid, const struct stat *st)
{
	/* the queue manager must still get at it if we die here */
	if ((st->st_mode & 0060) != 0060 && fchmod(fd, 0660) != 0)
		return false;
	return uid == st->st_uid || fchown(fd, uid, (gid_t)-1) == 0;
}

static void
take_back(int fd, uid_t uid, const struct stat *st)
{
	if (uid != st->st_uid)
		(void)!fchown(fd, st->st_uid, (gid_t)-1);
	(void)!fchmod(fd, st->st_mode & 07777);
}

/*
 * After the commit: what fails here is no reason to deliver again. As long as
 * the new name may be lost, the queue can read the file: what is cut off is
 * there until the disk has both, or goes last, in flushes of its own.
 */
static void
finish(int fd, const char *path, off_t size, gid_t gid, const struct stat *st)
{
	bool frees_late = file_system_frees_late(fd);

	/* it is in the mailbox: told with an error it would come twice */
	if (!frees_late && fsync(fd) != 0) {
		log_error("%s: moved to a Maildir, and not flushed: %m", path);
		return; /* readers cut it */
	}
	if (gid != st->st_gid)
		(void)!fchown(fd, (uid_t)-1, gid);
	(void)!fchmod(fd, 0600);
	if (ftruncate(fd, size) == 0 && !frees_late)
		(void)!fsync(fd);
}

static bool
move_open_file(int fd, const char *path, int new, const char *name, off_t size,
    uid_t uid, gid_t gid, const struct stat *st)
{
	if (!give_to(fd, uid, st) || publish(AT_FDCWD, path, new, name) != 0) {
		take_back(fd, uid, st);
		return false;
	}
	finish(fd, path, size, gid, st);
	return true;
}

bool
maildir_may_move(const struct maildir_place *to, const struct deliver_source *s,
    const char *path, off_t size, struct stat *st)
{
	return same_file(path, s->fd, st) && size <= st->st_size &&
	    st->st_dev == to->device;
}

enum maildir_move
maildir_move(const struct maildir_place *to, const struct deliver_source *s,
    const char *path, off_t size, uid_t uid, gid_t gid)
{
	struct buf name = BUF_INIT(MAILDIR_NAME_MAX);
	enum maildir_move result = MAILDIR_NOT_MOVED;
	struct stat st;

	if (!maildir_may_move(to, s, path, size, &st))
		return MAILDIR_NOT_MOVED;
	unique_name(s, &name);
	add_sizes(&name, size, size);
	if (move_open_file(s->fd, path, to->new, buf_text(&name), size, uid,
		gid, &st))
		result = MAILDIR_MOVED;
	buf_fini(&name);
	return result;
}

void
maildir_move_undo(const char *folder, const char *path, int queue_fd)
{
	struct stat st, owner;

	if (stat(folder, &owner) == 0 && same_file(path, queue_fd, &st) &&
	    st.st_uid != owner.st_uid)
		(void)!fchown(queue_fd, owner.st_uid, (gid_t)-1);
}
