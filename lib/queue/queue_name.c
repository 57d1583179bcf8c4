/* SPDX-License-Identifier: ISC */
/* Where queue files lie, and how they move. */
#include "lib/queue/queue_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/file_system.h"

enum { DEPTH_MAX = 3, CLAIM_POLL_NS = 20000000 };

struct directory {
	const char *name;
	mode_t mode;
	bool to_owner; /* else it stays root's */
	bool to_drop; /* group of postdrop and postqueue */
};

static const struct directory directories[] = {
	{ "incoming", 0700, true, false }, { "deferred", 0700, true, false },
	{ "hold", 0700, true, false }, { "corrupt", 0700, true, false },
	{ "report", 0700, true, false },
	{ "defer", 0700, true, false }, /* why recipients wait: reason.h */
	/* write and search, no list: a user's file is nobody else's affair */
	{ "maildrop", 01730, true, true },
	/*
	 * master alone binds and connects here. A queue program that was taken
	 * over must not put its own socket in the place of, say, auth's.
	 */
	{ "private", 0700, false, false }, { "public", 0710, true, true },
	{ "pid", 0755, false, false },
	{ "empty", 0555, false, false }, /* root directory of many */
};

enum { QUEUES = 7 }; /* the first of them hold files named by queue ids */

static unsigned int depth = 1;

void
queue_hash_depth(unsigned int levels)
{
	ensure(levels <= DEPTH_MAX);
	depth = levels;
}

bool
queue_name_valid(const char *queue)
{
	for (size_t i = 0; i < QUEUES; i++)
		if (strcmp(directories[i].name, queue) == 0)
			return true;
	return false;
}

static bool
hashed(const char *queue)
{
	return strcmp(queue, "deferred") == 0;
}

static void
path_at(const char *queue, const char *id, unsigned int levels,
    char out[QUEUE_PATH_MAX])
{
	int64_t stamp = queue_id_time(id);
	char folders[2 * DEPTH_MAX + 1];
	unsigned int i;

	ensure(queue_name_valid(queue) && stamp > 0 && levels <= DEPTH_MAX);
	for (i = 0; i < levels; i++, stamp >>= 4) {
		folders[2 * i] = "0123456789ABCDEF"[stamp & 15];
		folders[2 * i + 1] = '/';
	}
	folders[2 * i] = '\0';
	snprintf(out, QUEUE_PATH_MAX, "%s/%s%s", queue, folders, id);
}

void
queue_path(const char *queue, const char *id, char out[QUEUE_PATH_MAX])
{
	path_at(queue, id, hashed(queue) ? depth : 0, out);
}

int
queue_make_path(const char *queue, const char *id)
{
	char path[QUEUE_PATH_MAX];
	char *slash;

	queue_path(queue, id, path);
	for (slash = strchr(path, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) == -1 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

/*
 * Does "act" at the places where the file may be: where it belongs, then
 * where other depths would have put it.
 */
static int
at_any_depth(const char *queue, const char *id,
    int (*act)(const char *path, const void *with), const void *with)
{
	char path[QUEUE_PATH_MAX];
	int result;

	queue_path(queue, id, path);
	result = act(path, with);
	if (!hashed(queue))
		return result;
	for (unsigned int other = 0;
	     result == -1 && errno == ENOENT && other <= DEPTH_MAX; other++) {
		if (other == depth)
			continue;
		path_at(queue, id, other, path);
		result = act(path, with);
	}
	return result;
}

bool
queue_has_other_name(const char *queue, const char *id)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path(queue, id, path);
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_nlink > 1 && file_system_is_loose(AT_FDCWD);
}

/* Of what was moved before; see queue_has_other_name. */
static bool
has_both(const char *path, const char *to)
{
	struct stat here, there;

	return lstat(path, &here) == 0 && lstat(to, &there) == 0 &&
	    here.st_ino == there.st_ino && here.st_dev == there.st_dev &&
	    here.st_nlink > 1;
}

/*
 * Never over another message: ids come from several programs, and one of
 * them may have been taken over. Not all file systems can promise it.
 */
static int
act_rename(const char *path, const void *to)
{
	int error;

	if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	error = errno;
	if (error == EEXIST && has_both(path, to))
		return unlink(path);
	errno = error;
	if (error != EINVAL && error != ENOSYS)
		return -1;
	return rename(path, to);
}

static int
move(const char *id, const char *from, const char *to, const char *path)
{
	if (at_any_depth(from, id, act_rename, path) == 0)
		return 0;
	/* either the file is not there, or the folder it goes to */
	if (errno != ENOENT || !hashed(to) || queue_make_path(to, id) == -1)
		return -1;
	return at_any_depth(from, id, act_rename, path);
}

int
queue_move(const char *id, const char *from, const char *to)
{
	char path[QUEUE_PATH_MAX];

	queue_path(to, id, path);
	if (move(id, from, to, path) == -1)
		return -1;
	*strrchr(path, '/') = '\0';
	/* it has moved, whatever the disk says */
	(void)file_system_settle_folder(AT_FDCWD, path);
	return 0;
}

static int
act_unlink(const char *path, const void *with)
{
	(void)with;
	return unlink(path);
}

int
queue_remove(const char *queue, const char *id)
{
	return at_any_depth(queue, id, act_unlink, NULL);
}

static int
act_open(const char *path, const void *with)
{
	return open(path,
	    *(const int *)with | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
		O_NOCTTY);
}

int
queue_open(const char *queue, const char *id, bool for_marking)
{
	int mode = for_marking ? O_RDWR : O_RDONLY;
	int fd = at_any_depth(queue, id, act_open, &mode);
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* Is this still the file of that name? It may have moved while we waited. */
static bool
is_there(const char *queue, const char *id, int fd)
{
	struct stat here, there;
	int other = queue_open(queue, id, false);
	bool same = other != -1 && fstat(fd, &here) == 0 &&
	    fstat(other, &there) == 0 && here.st_ino == there.st_ino &&
	    here.st_dev == there.st_dev;

	if (other != -1)
		close(other);
	return same;
}

int
queue_claim(const char *queue, const char *id, int64_t deadline)
{
	static const struct timespec pause = { .tv_nsec = CLAIM_POLL_NS };
	int fd = queue_open(queue, id, false);
	int error;

	if (fd == -1)
		return -1;
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		error = errno;
		if ((error != EWOULDBLOCK && error != EINTR) ||
		    clock_ms() >= deadline) {
			close(fd);
			errno = error;
			return -1;
		}
		nanosleep(&pause, NULL);
	}
	if (is_there(queue, id, fd))
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

struct scan {
	bool (*visit)(void *with, const char *id);
	void *with;
	bool stopped;
};

static bool
is_folder_name(const char *name)
{
	return name[0] != '\0' && name[1] == '\0' &&
	    strchr("0123456789ABCDEF", name[0]) != NULL;
}

/* Owns "at", the directory. */
static int
scan_directory(struct scan *s, int at, unsigned int levels)
{
	struct dirent *entry;
	DIR *dir = at == -1 ? NULL : fdopendir(at);
	int below;

	if (dir == NULL)
		return -1;
	while (!s->stopped && (errno = 0, entry = readdir(dir)) != NULL) {
		if (queue_id_valid(entry->d_name)) {
			s->stopped = !s->visit(s->with, entry->d_name);
		} else if (levels > 0 && is_folder_name(entry->d_name)) {
			below = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (below != -1)
				scan_directory(s, below, levels - 1);
		}
	}
	below = s->stopped ? 0 : errno;
	closedir(dir);
	errno = below;
	return below == 0 ? 0 : -1;
}

int
queue_scan(const char *queue, bool (*visit)(void *with, const char *id),
    void *with)
{
	struct scan s = { visit, with, false };

	ensure(queue_name_valid(queue));
	return scan_directory(&s,
	    open(queue, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
	    hashed(queue) ? DEPTH_MAX : 0);
}

static int
make_directory(int at, const struct directory *d, uid_t owner, gid_t drop)
{
	int fd;
	int result = 0;
	struct stat st;

	if (mkdirat(at, d->name, d->mode & 0700) == -1 && errno != EEXIST)
		return -1;
	/* postsuper, as the queue's owner, has no say in what is root's */
	if (geteuid() != 0 &&
	    fstatat(at, d->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode) && st.st_uid == 0)
		return 0;
	fd = openat(at, d->name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (geteuid() == 0)
		result = fchown(fd, d->to_owner ? owner : 0,
		    d->to_drop      ? drop :
			d->to_owner ? (gid_t)-1 :
				      0);
	if (result == 0)
		result = fchmod(fd, d->mode);
	close(fd);
	return result;
}

const char *
queue_directory_name(size_t i, bool *holds_mail)
{
	if (i >= sizeof(directories) / sizeof(directories[0]))
		return NULL;
	*holds_mail = i < QUEUES && strcmp(directories[i].name, "defer") != 0;
	return directories[i].name;
}

bool
queue_make_directories(const char *root, uid_t owner, gid_t drop,
    struct buf *error)
{
	const struct directory *d;
	bool fine = true;
	int at;

	if (mkdir(root, 0755) == -1 && errno != EEXIST) {
		buf_printf(error, "cannot make directory %s: %s\n", root,
		    strerror(errno));
		return false;
	}
	at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at == -1) {
		buf_printf(error, "cannot open directory %s: %s\n", root,
		    strerror(errno));
		return false;
	}
	for (size_t i = 0; i < sizeof(directories) / sizeof(*d); i++) {
		d = &directories[i];
		if (make_directory(at, d, owner, drop) == -1) {
			buf_printf(error, "cannot make directory %s/%s: %s\n",
			    root, d->name, strerror(errno));
			fine = false;
		}
	}
	close(at);
	return fine;
}
