/* SPDX-License-Identifier: ISC */
#include "lib/base/file_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* Devices that nobody has: each is asked about once. */
enum { XFS = 1, BTRFS, NFS, FUSE, EXT, KINDS };

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

int __wrap_fstatfs(int file, struct statfs *fs);
int __wrap_fsync(int file);
int __wrap_syncfs(int file);
int __wrap_futimens(int file, const struct timespec times[2]);

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
		cmocka_unit_test(a_flush_is_believed_when_changes_are_taken),
		cmocka_unit_test(others_are_not_asked),
		cmocka_unit_test(an_error_of_fsync_is_one),
		cmocka_unit_test(one_time_is_changed),
		cmocka_unit_test(all_of_it),
	};

	return cmocka_run_group_tests(tests, open_here, close_it);
}
