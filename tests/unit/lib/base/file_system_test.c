/* SPDX-License-Identifier: ISC */
#include "lib/base/file_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* Devices that nobody has: each is asked about once. */
enum { XFS = 1, BTRFS, NFS, FUSE, EXT, KINDS, MOUNTED = 16 };

static int fd = -1;
static long type; /* of all file systems */
static unsigned int asked;

/* What the disk answers. */
static struct {
	bool flush_fails, all_fail;
	unsigned int takes; /* so many changes; then: */
	int refuses;
	unsigned int changes;
	struct timespec times[2];
} disk;

/* An ext4, as the kernel tells of it. NULL: it does not. */
struct mount {
	const char *link; /* in /sys/dev/block */
	const char *journal_task;
	const char *options;
	bool is_loose, frees_late;
};

static const struct mount *mounted; /* here; NULL: what is here indeed */
static unsigned int mounts;

int __real_fstatat(int at, const char *path, struct stat *st, int flags);
int __wrap_fstatat(int at, const char *path, struct stat *st, int flags);
ssize_t __wrap_readlink(const char *path, char *out, size_t room);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_fstatfs(int file, struct statfs *fs);
int __wrap_fsync(int file);
int __wrap_syncfs(int file);
int __wrap_futimens(int file, const struct timespec times[2]);

int
__wrap_fstatat(int at, const char *path, struct stat *st, int flags)
{
	int result = __real_fstatat(at, path, st, flags);

	if (mounted != NULL)
		st->st_dev = makedev(4000, MOUNTED + mounts);
	return result;
}

ssize_t
__wrap_readlink(const char *path, char *out, size_t room)
{
	char wanted[64];
	size_t n;

	snprintf(wanted, sizeof(wanted), "/sys/dev/block/4000:%u",
	    MOUNTED + mounts);
	if (mounted == NULL || mounted->link == NULL) {
		errno = ENOENT;
		return -1;
	}
	assert_string_equal(path, wanted);
	n = strlen(mounted->link);
	assert_true(n <= room);
	memcpy(out, mounted->link, n);
	return (ssize_t)n;
}

/* A file that has this text. */
static int
open_text(const char *text)
{
	int file;

	errno = ENOENT;
	if (text == NULL)
		return -1;
	file = memfd_create("text", MFD_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(pwrite(file, text, strlen(text), 0), strlen(text));
	return file;
}

int
__wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, "/sys/fs/ext4/vdz9/journal_task") == 0)
		return open_text(mounted->journal_task);
	if (strcmp(path, "/proc/fs/ext4/vdz9/options") == 0)
		return open_text(mounted->options);
	assert_null(mounted);
	return __real_open(path, flags);
}

int
__wrap_fstatfs(int file, struct statfs *fs)
{
	assert_int_equal(file, fd);
	fs->f_type = (typeof(fs->f_type))type;
	asked++;
	return 0;
}

int
__wrap_fsync(int file)
{
	assert_int_equal(file, fd);
	assert_int_equal(disk.changes, 0);
	errno = EIO;
	return disk.flush_fails ? -1 : 0;
}

int
__wrap_syncfs(int file)
{
	assert_int_equal(file, fd);
	errno = EIO;
	return disk.all_fail ? -1 : 0;
}

int
__wrap_futimens(int file, const struct timespec times[2])
{
	assert_int_equal(file, fd);
	disk.times[0] = times[0];
	disk.times[1] = times[1];
	errno = disk.refuses;
	return disk.changes++ >= disk.takes && disk.refuses != 0 ? -1 : 0;
}

static dev_t
device(unsigned int kind)
{
	return makedev(4000, kind);
}

static int
open_here(void **state)
{
	(void)state;
	fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd == -1;
}

static int
close_it(void **state)
{
	(void)state;
	return close(fd);
}

/* By its type, once; of an ext4 whose journal is not known there may be one. */
static void
which_are_asked(void **state)
{
	static const struct {
		long type;
		unsigned int changes;
	} rows[KINDS] = {
		[XFS] = { XFS_SUPER_MAGIC, 2 },
		[BTRFS] = { BTRFS_SUPER_MAGIC, 0 },
		[NFS] = { NFS_SUPER_MAGIC, 0 },
		[FUSE] = { FUSE_SUPER_MAGIC, 0 },
		[EXT] = { EXT4_SUPER_MAGIC, 2 },
	};

	(void)state;
	for (int again = 0; again < 2; again++)
		for (unsigned int i = 1; i < KINDS; i++) {
			type = again ? 0 : rows[i].type;
			disk = (typeof(disk)){ .takes = 2 };
			assert_int_equal(file_system_takes_changes(fd,
					     device(i), FILE_TIME_READ),
			    0);
			assert_int_equal(disk.changes, rows[i].changes);
		}
	assert_int_equal(asked, KINDS - 1);
}

/*
 * Whether what is moved is flushed, before its cut and behind it (not where it
 * frees late), and what is renamed (where it is loose).
 */
static void
what_ext4_says(void **state)
{
#define VDZ9 "../../devices/virtual/block/vdz/vdz9"
#define OPTIONS(data) "rw\nbarrier\n" data "inode_readahead_blks=32\n"
	static const char ordered[] = OPTIONS("data=ordered\n");
	static const struct mount rows[] = {
		{ VDZ9, "123\n", ordered, false, true },
		{ VDZ9, "123\n", OPTIONS("data=journal\n"), false, true },
		{ VDZ9, "123\n", OPTIONS("data=writeback\n"), false, false },
		{ VDZ9, "123\n", OPTIONS("nodata=ordered\n"), false, false },
		{ VDZ9, "123\n", OPTIONS("data=ordered2\n"), false, false },
		{ VDZ9, "123\n", NULL, false, false },
		{ VDZ9, "<none>\n", OPTIONS(""), true, false },
		{ VDZ9, "<none>\n", ordered, true, false },
		{ VDZ9, NULL, ordered, true, false },
		{ NULL, "123\n", ordered, true, false },
	};

	(void)state;
	type = EXT4_SUPER_MAGIC;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++, mounts++) {
		mounted = &rows[i];
		assert_int_equal(file_system_frees_late(fd),
		    rows[i].frees_late);
		assert_int_equal(file_system_is_loose(fd), rows[i].is_loose);
	}
	/* others do */
	type = XFS_SUPER_MAGIC;
	assert_true(file_system_frees_late(fd));
	mounted = NULL;
}

static int
commit(unsigned int kind, unsigned int takes, int refuses)
{
	disk = (typeof(disk)){ .takes = takes, .refuses = refuses };
	return file_system_commit(fd, device(kind), FILE_TIME_READ);
}

/* One that has just been given up takes the first change on ext4. */
static void
a_flush_is_believed_when_changes_are_taken(void **state)
{
	static const int dead[] = { EROFS, EIO, ESHUTDOWN },
			 other[] = { EACCES, EPERM, ENOSYS, EOPNOTSUPP };

	(void)state;
	assert_int_equal(commit(XFS, 0, 0), 0);
	for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++)
		for (unsigned int takes = 0; takes < 2; takes++) {
			assert_int_equal(commit(XFS, takes, dead[i]), -1);
			assert_int_equal(errno, dead[i]);
		}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_int_equal(commit(XFS, 0, other[i]), 0);
}

static void
others_are_not_asked(void **state)
{
	(void)state;
	for (unsigned int i = BTRFS; i <= FUSE; i++) {
		assert_int_equal(commit(i, 0, EROFS), 0);
		assert_int_equal(disk.changes, 0);
	}
}

static void
an_error_of_fsync_is_one(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < KINDS; i++) {
		disk = (typeof(disk)){ .flush_fails = true };
		assert_int_equal(file_system_commit(fd, device(i),
				     FILE_TIME_READ),
		    -1);
		assert_int_equal(errno, EIO);
		assert_int_equal(disk.changes, 0);
	}
}

static void
one_time_is_changed(void **state)
{
	(void)state;
	assert_int_equal(commit(XFS, 0, 0), 0);
	assert_int_equal(disk.times[0].tv_nsec, UTIME_NOW);
	assert_int_equal(disk.times[1].tv_nsec, UTIME_OMIT);
	assert_int_equal(file_system_takes_changes(fd, device(XFS),
			     FILE_TIME_WRITTEN),
	    0);
	assert_int_equal(disk.times[0].tv_nsec, UTIME_OMIT);
	assert_int_equal(disk.times[1].tv_nsec, UTIME_NOW);
}

/* Whatever it is, and whichever of the three knows. */
static void
all_of_it(void **state)
{
	(void)state;
	type = NFS_SUPER_MAGIC;
	disk = (typeof(disk)){ .takes = 2 };
	assert_int_equal(file_system_commit_all(fd), 0);
	assert_int_equal(disk.changes, 2);
	assert_int_equal(disk.times[1].tv_nsec, UTIME_OMIT);
	for (unsigned int takes = 0; takes < 2; takes++) {
		disk = (typeof(disk)){ .takes = takes, .refuses = EROFS };
		assert_int_equal(file_system_commit_all(fd), -1);
		assert_int_equal(errno, EROFS);
	}
	disk = (typeof(disk)){ .flush_fails = true };
	assert_int_equal(file_system_commit_all(fd), -1);
	disk = (typeof(disk)){ .all_fail = true };
	assert_int_equal(file_system_commit_all(fd), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_are_asked),
		cmocka_unit_test(what_ext4_says),
		cmocka_unit_test(a_flush_is_believed_when_changes_are_taken),
		cmocka_unit_test(others_are_not_asked),
		cmocka_unit_test(an_error_of_fsync_is_one),
		cmocka_unit_test(one_time_is_changed),
		cmocka_unit_test(all_of_it),
	};

	return cmocka_run_group_tests(tests, open_here, close_it);
}
