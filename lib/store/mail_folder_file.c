/* SPDX-License-Identifier: ISC */
/* Small files beside the mail. */
#include "lib/store/mail_folder_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/process.h"

enum mail_result
mail_result_of(int error)
{
	switch (error) {
	case EROFS:
		return MAIL_READ_ONLY;
	case EDQUOT:
		return MAIL_OVER_QUOTA;
	case ENOSPC:
		return MAIL_NO_ROOM;
	}
	return MAIL_FAILED;
}

static void
take_stamp(const struct stat *st, struct file_stamp *out)
{
	*out = (struct file_stamp){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.seconds = st->st_mtim.tv_sec,
		.nanoseconds = st->st_mtim.tv_nsec,
	};
}

void
mail_file_stamp(int directory, const char *name, struct file_stamp *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		take_stamp(&st, out);
}

bool
mail_file_same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->device == b->device && a->inode == b->inode &&
	    a->size == b->size && a->seconds == b->seconds &&
	    a->nanoseconds == b->nanoseconds;
}

int
mail_file_read(int directory, const char *name, struct buf *out,
    struct file_stamp *stamp)
{
	int fd = openat(directory, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int result = -1;
	struct stat st;

	memset(stamp, 0, sizeof(*stamp));
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0) {
		errno = EINVAL;
		if (S_ISREG(st.st_mode))
			result = fd_read_whole(fd, out);
		take_stamp(&st, stamp);
	}
	fd_close(&fd);
	return result;
}

static int
write_new(int directory, const char *name, struct span text)
{
	int fd = openat(directory, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	int result = -1;

	if (fd < 0)
		return -1;
	if (fd_write_all(fd, text.p, text.n) == 0 && fsync(fd) == 0)
		result = 0;
	fd_close(&fd);
	return result;
}

int
mail_file_replace(int directory, const char *name, struct span text)
{
	char temporary[300];
	int error;

	snprintf(temporary, sizeof(temporary), "%s.%ld.new", name,
	    (long)process_id());
	if (write_new(directory, temporary, text) == 0 &&
	    renameat(directory, temporary, directory, name) == 0)
		return fsync(directory);
	error = errno;
	unlinkat(directory, temporary, 0);
	errno = error;
	return -1;
}
