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
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/base/span.h"
#include "lib/log/log.h"
#include "lib/store/mbox_end.h"

enum {
	MARK_MAX = 128,
	HEAD_MAX = 256, /* of a note's first line */
	BEFORE = 256, /* of the mailbox, to know the place again */
	NOTE_MAX = HEAD_MAX + BEFORE + MBOX_BEGIN_MAX,
	TELLS = 512, /* behind "From ", which tell a separator */
};

/* What is in a lock behind the mark. */
struct note {
	size_t n;
	char text[NOTE_MAX + 1];
};

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
 * Has it our mark, made on this machine? *note has what it says behind that.
 */
static bool
is_ours(int fd, struct note *note)
{
	char ours[MARK_MAX], found[MARK_MAX + sizeof(note->text)];
	int n = mark(ours);
	ssize_t got = pread(fd, found, sizeof(found) - 1, 0);

	if (got < n || (size_t)(got - n) >= sizeof(note->text) ||
	    memcmp(found, ours, (size_t)n) != 0)
		return false;
	note->n = (size_t)(got - n);
	memcpy(note->text, found + n, note->n);
	note->text[note->n] = '\0';
	return true;
}

/*
 * "appending BOOT DEVICE INODE SIZE BEFORE BEGIN" and a line end; then so many
 * bytes that are before the mailbox's end now, and so many that we write there
 * first.
 */
void
mbox_dotlock_appends(int lock, int mailbox, const struct stat *st,
    struct span begin)
{
	char ours[MARK_MAX], *text;
	size_t before = st->st_size < BEFORE ? (size_t)st->st_size : BEFORE;
	size_t n = begin.n < MBOX_BEGIN_MAX ? begin.n : MBOX_BEGIN_MAX;
	int start = mark(ours), head;

	if (lock < 0 || process_boot_id()[0] == '\0')
		return;
	text = mem_new(NOTE_MAX);
	head = snprintf(text, HEAD_MAX, "appending %s %llu %llu %lld %zu %zu\n",
	    process_boot_id(), (unsigned long long)st->st_dev,
	    (unsigned long long)st->st_ino, (long long)st->st_size, before, n);
	if (fd_pread_all(mailbox, text + head, before,
		st->st_size - (off_t)before) == 0) {
		memcpy(text + head + before, begin.p, n);
		/* one that is not whole counts for nothing */
		(void)!pwrite(lock, text, (size_t)head + before + n, start);
	}
	free(text);
}

/*
 * The mailbox is changed once more, so that its flush is also one of what was
 * done to the lock before. Not its time of access: by an earlier one than that
 * of the change mail readers and shells know that there is new mail.
 */
static bool
goes_with(int lock, int mailbox)
{
	static const struct timespec changed_now[2] = {
		{ .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW }
	};
	struct stat one, other;

	return fstat(lock, &one) == 0 && fstat(mailbox, &other) == 0 &&
	    one.st_dev == other.st_dev && fd_is_ordered(lock) &&
	    !file_system_is_loose(lock) && futimens(mailbox, changed_now) == 0;
}

int
mbox_dotlock_appended(int lock, int mailbox)
{
	char ours[MARK_MAX];

	if (lock < 0 || process_boot_id()[0] == '\0')
		return 0;
	if (ftruncate(lock, mark(ours)) != 0)
		return -1;
	/* no device that comes back as it was may bring the note back */
	return goes_with(lock, mailbox) ? 0 : fdatasync(lock);
}

/* What a note says. */
struct torn {
	unsigned long long device, inode;
	long long size; /* of the mailbox without the part */
	struct span before;
	struct span begin;
};

static bool
read_note(const struct note *note, struct torn *t)
{
	char boot[64], end;
	const char *line = memchr(note->text, '\n', note->n);
	struct span rest = { note->text, note->n };

	if (line == NULL ||
	    sscanf(note->text, "appending %63s %llu %llu %lld %zu %zu%c", boot,
		&t->device, &t->inode, &t->size, &t->before.n, &t->begin.n,
		&end) != 7 ||
	    end != '\n')
		return false;
	rest = span_skip(rest, (size_t)(line - note->text) + 1);
	if (t->before.n > BEFORE || t->begin.n > MBOX_BEGIN_MAX ||
	    rest.n != t->before.n + t->begin.n ||
	    t->size < (long long)t->before.n)
		return false;
	t->before.p = rest.p;
	t->begin.p = rest.p + t->before.n;
	return strcmp(boot, process_boot_id()) == 0;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Does a message of another program begin here, at "From "? At a line's start
 * we write no such thing but our first line. Who does not look how the file
 * ends begins in the middle of our last line: that has a time behind it.
 */
static bool
may_begin_message(struct span text, size_t at)
{
	struct span line = span_skip(text, at);

	if (text.p[at - 1] == '\n')
		return true;
	line = span_take(line, span_find(line, '\n'));
	for (size_t i = 1; i + 1 < line.n; i++)
		if (line.p[i] == ':' && is_digit(line.p[i - 1]) &&
		    is_digit(line.p[i + 1]))
			return true;
	return line.n >= TELLS; /* too long to be told */
}

/* The byte at "from" is ours: does anything behind it look like another's? */
static bool
is_ours_alone(int fd, off_t from)
{
	char bytes[16384];
	size_t have = 0, sure;
	ssize_t n;

	do {
		char *p = bytes;

		n = pread(fd, bytes + have, sizeof(bytes) - have, from);
		if (n < 0)
			return false;
		from += n;
		have += (size_t)n;
		/* what is told by what follows waits for that */
		sure = n == 0 || have < TELLS ? have : have - TELLS;
		if (n > 0 && sure == have)
			continue;
		while (have - (size_t)(p - bytes) > 1 &&
		    (p = memmem(p + 1, have - (size_t)(p + 1 - bytes), "From ",
			 5)) != NULL &&
		    (size_t)(p - bytes) < sure)
			if (may_begin_message((struct span){ bytes, have },
				(size_t)(p - bytes)))
				return false;
		if (n > 0) {
			have -= sure - 1;
			memmove(bytes, bytes + sure - 1, have);
		}
	} while (n > 0);
	return true;
}

/* Why it is not the mailbox that the note speaks of; NULL: it is. */
static const char *
differs(const struct torn *t, const struct stat *st, const struct stat *lock)
{
	if (!S_ISREG(st->st_mode))
		return "there is no regular file now";
	if (st->st_dev != t->device || st->st_ino != t->inode)
		return "the file has changed since";
	if (st->st_nlink != 1)
		return "the file has other names";
	if (lock->st_nlink != 1)
		return "its lock has other names";
	/* only its owner may say so: /var/mail is everybody's */
	if (lock->st_uid != st->st_uid && lock->st_uid != 0)
		return "its lock is another user's";
	return NULL;
}

static void
leave(const char *name, const char *why)
{
	log_warning("%s: a delivery ended in the middle of a message; %s, and"
		    " is left as it is",
	    name, why);
}

/*
 * Is all behind the noted size what our dead delivery wrote? Each byte that
 * the note has is compared; what is shorter than "From " is no proof.
 */
static bool
is_torn_part(const struct torn *t, int fd, off_t size)
{
	char bytes[BEFORE + MBOX_BEGIN_MAX];
	off_t part = size - t->size;
	size_t n = part < (off_t)t->begin.n ? (size_t)part : t->begin.n;
	size_t lines = 0;

	while (lines < t->begin.n && t->begin.p[lines] == '\n')
		lines++;
	if (n < lines + 5 || memcmp(t->begin.p + lines, "From ", 5) != 0 ||
	    fd_pread_all(fd, bytes, t->before.n + n,
		t->size - (off_t)t->before.n) != 0)
		return false;
	return memcmp(bytes, t->before.p, t->before.n) == 0 &&
	    memcmp(bytes + t->before.n, t->begin.p, n) == 0 &&
	    (part == (off_t)n || is_ours_alone(fd, t->size + (off_t)n - 1));
}

/* The mailbox is ours. False: what has to go cannot be removed now. */
static bool
cut(const struct torn *t, int fd, const struct stat *lock, const char *name)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || differs(t, &st, lock) != NULL ||
	    !is_torn_part(t, fd, st.st_size)) {
		leave(name, "the file has changed since");
		return true;
	}
	if (mbox_end_cut(fd, t->size) != 0) {
		log_warning("%s: a delivery ended in the middle of a message,"
			    " which cannot be removed: %m; the mailbox stays"
			    " locked",
		    name);
		return false;
	}
	log_warning("%s: the last %lld bytes are removed: a delivery that ended"
		    " in the middle left them",
	    name, (long long)st.st_size - t->size);
	return true;
}

/*
 * What a program that died has left of a message at the mailbox's end. False:
 * that cannot be told yet, since another program has the mailbox, or not be
 * removed: who wrote behind it would make one message of two.
 */
static bool
cut_torn(int at, const char *name, const struct stat *lock,
    const struct note *note, int64_t stale_s)
{
	const char *why;
	struct torn t;
	struct stat st;
	bool told = true;
	int fd;

	if (!read_note(note, &t))
		return true;
	/* what is no file any more is not opened: a device may notice */
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (why = differs(&t, &st, lock)) != NULL) {
		leave(name, why);
		return true;
	}
	fd = openat(at, name,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 && errno != ENOENT) {
		log_warning("%s: a delivery ended in the middle of a message,"
			    " and it cannot be opened: %m; it stays locked",
		    name);
		return false;
	}
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > t.size) {
		if (mbox_kernel_lock(fd, MBOX_FLOCK | MBOX_FCNTL) != 0)
			told = time(NULL) - lock->st_mtime > stale_s;
		else
			told = cut(&t, fd, lock, name);
	}
	fd_close(&fd);
	return told;
}

/*
 * Ours is locked by the kernel for as long as its program lives, however old
 * it is: a large mailbox on a slow disk takes its time. Others' grow old.
 */
static bool
left_behind(int fd, const struct stat *st, int64_t stale_s, struct note *note)
{
	if (S_ISREG(st->st_mode) && is_ours(fd, note)) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno == EWOULDBLOCK)
			return false;
	}
	note->n = 0;
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
	struct note note = { .n = 0 };
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
		    fstat(fd, &st) == 0 && left_behind(fd, &st, stale_s, &note);
	gone = gone && is_still(at, lock, &st);
	if (gone && note.n > 0)
		gone = cut_torn(at, name, &st, &note, stale_s);
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
