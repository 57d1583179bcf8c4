/* SPDX-License-Identifier: ISC */
#include "tools/app_password_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"

enum { FILE_MAX = 64 << 20, LOCK_WAIT_S = 10, LOCK_TRY_MS = 20 };

/* Whoever can change the directory can replace the file, and so lock it. */
static bool
open_lock(struct app_password_file *f, const char *name, const struct stat *of)
{
	enum { FLAGS = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC };
	struct stat st;

	f->lock = open(name, FLAGS | O_CREAT | O_EXCL, 0600);
	if (f->lock != -1)
		return geteuid() != 0 || of->st_uid == 0 ||
		    fchown(f->lock, of->st_uid, of->st_gid) == 0;
	if (errno != EEXIST)
		return false;
	f->lock = open(name, FLAGS);
	if (f->lock == -1 || fstat(f->lock, &st) == -1)
		return false;
	/* one that others can open they can hold for ever */
	if (S_ISREG(st.st_mode) && (st.st_mode & 077) == 0)
		return true;
	errno = EPERM;
	return false;
}

static bool
take_lock(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_TRY_MS * 1000000L };
	int64_t deadline = clock_in(LOCK_WAIT_S);

	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			return false;
		if (clock_ms() >= deadline) {
			errno = ETIMEDOUT;
			return false;
		}
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

/*
 * A file for the lock alone, which stays: the other one is a new one each time,
 * and the directory is locked by anybody who can read it.
 */
static void
lock(struct app_password_file *f)
{
	char *copy = mem_text(f->path), *name = mem_printf("%s.lock", f->path);
	struct stat st;

	f->directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->directory == -1 || fstat(f->directory, &st) == -1)
		fatal_status(EX_NOPERM, "directory of %s: %s", f->path,
		    strerror(errno));
	if (!open_lock(f, name, &st))
		fatal_status(EX_NOPERM, "%s: %s", name, strerror(errno));
	if (!take_lock(f->lock))
		fatal_status(EX_TEMPFAIL, "%s: locked by another: %s", name,
		    strerror(errno));
	free(name);
	free(copy);
}

void
app_password_file_add(struct app_password_file *f, const struct app_password *p)
{
	if (f->count == f->room) {
		f->room = f->room == 0 ? 64 : 2 * f->room;
		f->list = mem_resize(f->list, f->room * sizeof(*f->list));
	}
	f->list[f->count++] = *p;
}

/* A line that is not understood would be lost with the next replacement. */
static void
parse(struct app_password_file *f, struct span text, bool change)
{
	unsigned int number = 0;
	struct app_password p;
	const char *error;
	struct span line;

	while (span_cut(&text, "\n", false, &line)) {
		number++;
		if (app_password_parse(line, f->memory, &p, &error))
			app_password_file_add(f, &p);
		else if (error != NULL && change)
			fatal_status(EX_DATAERR, "%s: line %u %s", f->path,
			    number, error);
		else if (error != NULL)
			log_warning("%s: line %u %s", f->path, number, error);
	}
}

void
app_password_file_open(struct app_password_file *f,
    const struct auth_params *settings, const char *auth_user, bool change)
{
	enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK };
	struct buf text = BUF_INIT(FILE_MAX);

	memset(f, 0, sizeof(*f));
	f->path = settings->account_app_password_file;
	f->auth_user = auth_user;
	f->memory = arena_new();
	f->directory = f->lock = -1;
	if (change)
		lock(f);
	f->fd = open(f->path, FLAGS);
	if (f->fd == -1 && errno == ENOENT)
		return;
	if (f->fd == -1 || fd_read_whole(f->fd, &text) == -1)
		fatal_status(EX_NOINPUT, "%s: %s", f->path, strerror(errno));
	parse(f, buf_span(&text), change);
	buf_fini(&text);
}

/* As the old one; the first one is root's, for auth's group to read. */
static bool
take_owner(const struct app_password_file *f, int fd)
{
	const struct passwd *auth;
	struct stat st;

	if (f->fd != -1)
		return fstat(f->fd, &st) == 0 &&
		    (geteuid() != 0 || fchown(fd, st.st_uid, st.st_gid) == 0) &&
		    fchmod(fd, st.st_mode & 0777) == 0;
	if (geteuid() != 0)
		return true;
	auth = getpwnam(f->auth_user);
	if (auth == NULL)
		fatal_status(EX_CONFIG, "auth_user: there is no user \"%s\"",
		    f->auth_user);
	return fchown(fd, 0, auth->pw_gid) == 0 && fchmod(fd, 0640) == 0;
}

static bool
write_new(const struct app_password_file *f, int fd)
{
	struct buf text = BUF_INIT(FILE_MAX);
	bool good;

	buf_add_text(&text, "# kept by postaccount(1)\n");
	for (size_t i = 0; i < f->count; i++)
		app_password_print(&f->list[i], &text);
	if (text.overflow)
		errno = EFBIG;
	good = !text.overflow && take_owner(f, fd) &&
	    fd_write_all(fd, text.p, text.n) == 0 && fsync(fd) == 0;
	buf_fini(&text);
	return good;
}

void
app_password_file_replace(struct app_password_file *f)
{
	enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
	char *new = mem_printf("%s.new", f->path);
	int fd;

	/* what one left who was killed; the lock is ours */
	(void)unlink(new);
	fd = open(new, FLAGS, 0600);
	if (fd == -1)
		fatal_status(EX_CANTCREAT, "%s: %s", new, strerror(errno));
	if (!write_new(f, fd) || rename(new, f->path) == -1) {
		int error = errno;

		(void)unlink(new);
		fatal_status(EX_IOERR, "%s: %s", new, strerror(error));
	}
	if (fsync(f->directory) == -1)
		log_warning("%s: %s", f->path, strerror(errno));
	fd_close(&fd);
	free(new);
}

void
app_password_file_close(struct app_password_file *f)
{
	fd_close(&f->fd);
	fd_close(&f->directory);
	fd_close(&f->lock);
	arena_free(&f->memory);
	free(f->list);
	f->list = NULL;
}
