/* SPDX-License-Identifier: ISC */
#include "lib/base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/buf.h"

int
fd_open_unnoted(int directory, const char *name, int flags)
{
	int fd = openat(directory, name, flags | O_NOATIME);

	return fd != -1 || errno != EPERM ? fd : openat(directory, name, flags);
}

void
fd_close(int *fd)
{
	int error = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = error;
}

int
fd_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -1 : 0;
}

int
fd_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -1 : 0;
}

static bool
socket_is(int fd, int option, int value)
{
	socklen_t n = sizeof(int);
	int is;

	return getsockopt(fd, SOL_SOCKET, option, &is, &n) == 0 && is == value;
}

bool
fd_is_connection(int fd)
{
	return socket_is(fd, SO_TYPE, SOCK_STREAM) &&
	    socket_is(fd, SO_ACCEPTCONN, 0);
}

/*
 * Btrfs writes what is changed to another place, for which a full disk has no
 * room, whatever was reserved: unless the file was told so while it is empty.
 * Where that is refused the file is as good as it can be.
 */
static void
write_in_place(int fd)
{
	struct statfs fs;
	struct stat st;
	int flags = 0;

	if (fstatfs(fd, &fs) != 0 || fs.f_type != BTRFS_SUPER_MAGIC ||
	    fstat(fd, &st) != 0 || st.st_size > 0 ||
	    ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0)
		return;
	/* of a folder for compressed files; refused with the other */
	flags &= ~FS_COMPR_FL;
	flags |= FS_NOCOW_FL;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

int
fd_reserve(int fd, off_t size)
{
	int error;

	write_in_place(fd);
	if (ftruncate(fd, size) == -1)
		return -1;
	do
		error = posix_fallocate(fd, 0, size);
	while (error == EINTR);
	errno = error;
	return error == 0 ? 0 : -1;
}

static bool
lock(int fd, off_t byte, short type)
{
	struct flock l = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

bool
fd_lock_byte(int fd, off_t byte)
{
	return lock(fd, byte, F_WRLCK);
}

void
fd_unlock_byte(int fd, off_t byte)
{
	(void)lock(fd, byte, F_UNLCK);
}

int
fd_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int
fd_pwrite_all(int fd, const void *data, size_t n, off_t at)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int
fd_pread_all(int fd, void *data, size_t n, off_t at)
{
	char *p = data;

	while (n > 0) {
		ssize_t done = pread(fd, p, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done == 0)
			errno = EIO;
		if (done <= 0)
			return -1;
		p += done;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int
fd_read_whole(int fd, struct buf *into)
{
	for (;;) {
		size_t want = into->max - into->n < 65536 ?
		    into->max - into->n + 1 :
		    65536;
		char *to;
		ssize_t got;

		if (into->n == into->max) {
			char probe;

			got = read(fd, &probe, 1);
			if (got > 0)
				errno = EFBIG;
			return got == 0 ? 0 : -1;
		}
		if (want > into->max - into->n)
			want = into->max - into->n;
		to = buf_reserve(into, want);
		got = read(fd, to, want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? 0 : -1;
		buf_added(into, (size_t)got);
	}
}

static bool
has_true_holes(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	switch (fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

bool
fd_is_written(int fd)
{
	off_t at = lseek(fd, 0, SEEK_CUR), hole = lseek(fd, 0, SEEK_HOLE);
	struct stat st;

	if (at >= 0)
		(void)lseek(fd, at, SEEK_SET);
	return hole < 0 || fstat(fd, &st) != 0 || hole >= st.st_size ||
	    !has_true_holes(fd);
}

bool
fd_is_ordered(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	    (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC);
}
