/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: the directory may be its owner's, or /var/mail: what lies there
 * under the name of a lock may be anything, and is only read.
 */
#include "lib/store/mbox_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/base/span.h"

enum { MARK_MAX = 128 };

bool
mbox_locks_parse(const char *text, unsigned int *locks)
{
	static const struct {
		const char *word;
		unsigned int lock;
	} words[] = { { "fcntl", MBOX_FCNTL }, { "flock", MBOX_FLOCK },
		{ "dotlock", MBOX_DOTLOCK } };
	struct span rest = span_of(text), word;
	unsigned int found = 0;

	while (span_cut(&rest, ", \t", true, &word)) {
		size_t i = 0;

		while (i < 3 && !span_is(word, words[i].word))
			i++;
		if (i == 3)
			return false;
		found |= words[i].lock;
	}
	*locks = found;
	return true;
}

/* What our lock files say: by it we know them, on this machine. */
static int
mark(char out[MARK_MAX])
{
	char host[65] = "";

	(void)gethostname(host, sizeof(host) - 1);
	return snprintf(out, MARK_MAX, "posthaste %s\n", host);
}

/*
 * Has it our mark, made on this machine? *text has what it says behind that.
 */
static bool
is_ours(int fd, char text[MARK_MAX])
{
	char ours[MARK_MAX], found[2 * MARK_MAX];
	int n = mark(ours);
	ssize_t got = pread(fd, found, sizeof(found) - 1, 0);

	if (got < n || got - n >= MARK_MAX ||
	    memcmp(found, ours, (size_t)n) != 0)
		return false;
	found[got] = '\0';
	memcpy(text, found + n, (size_t)(got - n) + 1);
	return true;
}

void
mbox_dotlock_appends(int lock, const struct stat *mailbox)
{
	char ours[MARK_MAX], text[MARK_MAX];
	int n = mark(ours), length;

	length = snprintf(text, sizeof(text), "appending %llu %lld\n",
	    (unsigned long long)mailbox->st_ino, (long long)mailbox->st_size);
	if (lock >= 0)
		(void)!pwrite(lock, text, (size_t)length, n);
}

void
mbox_dotlock_appended(int lock)
{
	char ours[MARK_MAX];

	if (lock >= 0)
		(void)!ftruncate(lock, mark(ours));
}

/*
 * Is this nothing but a part of our message? We write no line that begins
 * with "From " but the first; who appends behind it begins with one, perhaps
 * in the middle of our last line.
 */
static bool
is_ours_alone(int fd, off_t from)
{
	static const char word[] = "From ";
	char bytes[8192 + sizeof(word)];
	size_t have = 0;
	bool first = true;
	ssize_t n;

	while ((n = pread(fd, bytes + have, 8192, from)) > 0) {
		char *p = bytes, *end = bytes + have + n;

		if (first && memchr(bytes, '\n', (size_t)n) != NULL &&
		    bytes[0] == '\n')
			p += bytes[1] == '\n' ? 2 : 1;
		if (first && (end - p < 5 || memcmp(p, word, 5) == 0))
			p += end - p < 5 ? end - p : 5;
		if (memmem(p, (size_t)(end - p), word, 5) != NULL)
			return false;
		first = false;
		from += n;
		have = end - p < 4 ? (size_t)(end - p) : 4;
		memmove(bytes, end - have, have);
	}
	return n == 0;
}

/* What a program that died has left of a message at the mailbox's end. */
static void
cut_torn(int at, const char *name, const struct stat *lock, const char *note)
{
	int fd = openat(at, name,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	unsigned long long inode;
	long long size;
	struct stat st;
	char end;

	/* only its owner may say so: /var/mail is everybody's */
	if (fd >= 0 &&
	    sscanf(note, "appending %llu %lld%c", &inode, &size, &end) == 3 &&
	    end == '\n' && size >= 0 && fstat(fd, &st) == 0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 1 && lock->st_nlink == 1 &&
	    (lock->st_uid == st.st_uid || lock->st_uid == 0) &&
	    st.st_ino == inode && st.st_size > size &&
	    mbox_kernel_lock(fd, MBOX_FLOCK | MBOX_FCNTL) == 0 &&
	    is_ours_alone(fd, size))
		(void)!ftruncate(fd, size);
	fd_close(&fd);
}

/*
 * Ours is locked by the kernel for as long as its program lives, however old
 * it is: a large mailbox on a slow disk takes its time. Others' grow old.
 */
static bool
left_behind(int fd, const struct stat *st, int64_t stale_s, char note[MARK_MAX])
{
	if (S_ISREG(st->st_mode) && is_ours(fd, note)) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno == EWOULDBLOCK)
			return false;
	}
	note[0] = '\0';
	return time(NULL) - st->st_mtime > stale_s;
}

static bool
is_still(int at, const char *lock, const struct stat *st)
{
	struct stat now;

	return fstatat(at, lock, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

/*
 * Of two that find the same dead lock, the second must not remove the first
 * one's new one: the kernel's lock on the old file settles that for ours.
 */
static bool
remove_stale(int at, const char *name, const char *lock, int64_t stale_s)
{
	char note[MARK_MAX] = "";
	struct stat st;
	bool gone = false;
	int fd;

	if (fstatat(at, lock, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	fd = openat(at, lock,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) /* a link, or not for us to read: its age must do */
		gone = time(NULL) - st.st_mtime > stale_s;
	else
		gone =
		    fstat(fd, &st) == 0 && left_behind(fd, &st, stale_s, note);
	gone = gone && is_still(at, lock, &st);
	if (gone && note[0] != '\0')
		cut_torn(at, name, &st, note);
	gone = gone && unlinkat(at, lock, 0) == 0;
	fd_close(&fd);
	return gone;
}

static int
make_marked(int at, const char *path)
{
	char text[MARK_MAX];
	int n = mark(text);
	int fd = openat(at, path,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	/* without the mark, say on a full disk, it only grows old */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)!write(fd, text, (size_t)n);
	return fd;
}

/* A dot file beside it that nobody else has. */
static char *
aside_of(const char *lock)
{
	static unsigned int number;
	const char *slash = strrchr(lock, '/');
	size_t directory = slash == NULL ? 0 : (size_t)(slash - lock) + 1;

	return mem_printf("%.*s.%s.%lld.%ld.%u", (int)directory, lock,
	    lock + directory, (long long)clock_wall_us(), (long)process_id(),
	    number++);
}

/*
 * It appears with its mark, so that one that a killed process leaves is known
 * at once. Where there are no links, in two steps.
 */
static int
make(int at, const char *lock)
{
	char *aside = aside_of(lock);
	int fd = make_marked(at, aside), error = errno;

	if (fd >= 0 && linkat(at, aside, at, lock, 0) == -1) {
		error = errno;
		fd_close(&fd);
		(void)unlinkat(at, aside, 0);
		if (error == EPERM || error == EOPNOTSUPP || error == EMLINK) {
			fd = make_marked(at, lock);
			error = errno;
		}
	} else if (fd >= 0) {
		(void)unlinkat(at, aside, 0);
	}
	free(aside);
	errno = error;
	return fd;
}

int
mbox_dotlock_take(int at, const char *name, int64_t stale_s)
{
	char *lock = mem_printf("%s.lock", name);
	int fd = make(at, lock), error;

	if (fd < 0 && errno == EEXIST) {
		if (remove_stale(at, name, lock, stale_s))
			fd = make(at, lock);
		else
			errno = EEXIST;
	}
	error = errno;
	free(lock);
	errno = error;
	return fd;
}

void
mbox_dotlock_give_back(int at, const char *name, int *fd)
{
	char *lock;

	if (*fd < 0)
		return;
	lock = mem_printf("%s.lock", name);
	(void)unlinkat(at, lock, 0);
	free(lock);
	fd_close(fd);
}

/*
 * Of the open file, not of the process, whose other sessions may close
 * descriptors of the same file; others' fcntl locks exclude them all the
 * same.
 */
static int
fcntl_lock(int fd, short type)
{
	struct flock whole = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &whole);
}

int
mbox_kernel_lock(int fd, unsigned int locks)
{
	if (locks & MBOX_FLOCK && flock(fd, LOCK_EX | LOCK_NB) != 0)
		return -1;
	if ((locks & MBOX_FCNTL) == 0 || fcntl_lock(fd, F_WRLCK) == 0)
		return 0;
	if (errno == EACCES)
		errno = EAGAIN;
	return -1;
}

void
mbox_kernel_unlock(int fd, unsigned int locks)
{
	if (locks & MBOX_FCNTL)
		(void)fcntl_lock(fd, F_UNLCK);
	if (locks & MBOX_FLOCK)
		(void)flock(fd, LOCK_UN);
}
