/* SPDX-License-Identifier: ISC */
#include "lib/base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { BLOCK = 4096, BLOCKS = 5 };

static int fd = -1;

/* A file system that says it is Btrfs. */
static struct {
	bool on;
	bool refuses;
	int flags; /* of the file */
} btrfs;

int __real_fstatfs(int file, struct statfs *fs);
int __wrap_fstatfs(int file, struct statfs *fs);
int __wrap_ioctl(int file, unsigned long request, ...);

int
__wrap_fstatfs(int file, struct statfs *fs)
{
	int result = __real_fstatfs(file, fs);

	if (btrfs.on)
		fs->f_type = BTRFS_SUPER_MAGIC;
	return result;
}

int
__wrap_ioctl(int file, unsigned long request, ...)
{
	va_list ap;
	int *flags;

	va_start(ap, request);
	flags = va_arg(ap, int *);
	va_end(ap);
	assert_int_equal(file, fd);
	assert_true(btrfs.on);
	if (request == FS_IOC_GETFLAGS) {
		*flags = btrfs.flags;
	} else if (request == FS_IOC_SETFLAGS && !btrfs.refuses &&
	    (~*flags & (FS_COMPR_FL | FS_NOCOW_FL)) != 0) {
		btrfs.flags = *flags;
	} else {
		errno = EPERM;
		return -1;
	}
	return 0;
}

static int
make(void **state)
{
	char name[] = "/tmp/fdio_test.XXXXXX";

	(void)state;
	fd = mkstemp(name);
	return fd < 0 || unlink(name) != 0;
}

static int
end(void **state)
{
	(void)state;
	fd_close(&fd);
	return 0;
}

/* Zeros, which no file system that is asked makes a hole of. */
static void
write_blocks_but(int left_out)
{
	static const char zeros[BLOCK];

	for (int i = 0; i < BLOCKS; i++)
		if (i != left_out)
			assert_int_equal(fd_pwrite_all(fd, zeros, BLOCK,
					     i * BLOCK),
			    0);
}

static void
all_written(void **state)
{
	(void)state;
	assert_true(fd_is_written(fd));
	write_blocks_but(-1);
	assert_true(fd_is_written(fd));
	assert_int_equal(fsync(fd), 0);
	assert_true(fd_is_written(fd));
}

static bool
shows_holes(void)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	    (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC ||
		fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC);
}

static void
one_block_not_written(void **state)
{
	(void)state;
	if (!shows_holes())
		skip();
	for (int i = 0; i < BLOCKS; i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		write_blocks_but(i);
		assert_int_equal(ftruncate(fd, BLOCKS * BLOCK), 0);
		assert_false(fd_is_written(fd));
	}
}

static void
the_position_stays(void **state)
{
	(void)state;
	write_blocks_but(-1);
	assert_int_equal(lseek(fd, 77, SEEK_SET), 77);
	assert_true(fd_is_written(fd));
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 77);
}

static bool
written_in_place(void)
{
	return (btrfs.flags & FS_NOCOW_FL) != 0;
}

static off_t
length(void)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks * 512 >= st.st_size);
	return st.st_size;
}

static void
reserved_on_btrfs(void **state)
{
	(void)state;
	btrfs = (typeof(btrfs)){ .on = true, .flags = FS_NODUMP_FL };
	assert_int_equal(fd_reserve(fd, BLOCK), 0);
	assert_int_equal(btrfs.flags, FS_NODUMP_FL | FS_NOCOW_FL);
	assert_int_equal(length(), BLOCK);
	/* in a folder for compressed files it is one at first */
	assert_int_equal(ftruncate(fd, 0), 0);
	btrfs = (typeof(btrfs)){ .on = true, .flags = FS_COMPR_FL };
	assert_int_equal(fd_reserve(fd, BLOCK), 0);
	assert_int_equal(btrfs.flags, FS_NOCOW_FL);
	/* only an empty file can be told */
	btrfs = (typeof(btrfs)){ .on = true };
	assert_int_equal(fd_reserve(fd, 2 * BLOCK), 0);
	assert_false(written_in_place());
	assert_int_equal(ftruncate(fd, 0), 0);
	btrfs = (typeof(btrfs)){ .on = true, .refuses = true };
	assert_int_equal(fd_reserve(fd, BLOCK), 0);
	assert_int_equal(length(), BLOCK);
	/* others are not asked: __wrap_ioctl sees to it */
	btrfs = (typeof(btrfs)){ 0 };
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(fd_reserve(fd, BLOCK), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_written, make, end),
		cmocka_unit_test_setup_teardown(one_block_not_written, make,
		    end),
		cmocka_unit_test_setup_teardown(the_position_stays, make, end),
		cmocka_unit_test_setup_teardown(reserved_on_btrfs, make, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
