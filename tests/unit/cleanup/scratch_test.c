/* SPDX-License-Identifier: ISC */
#include "cleanup/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"

static void
made_without_a_name(void **state)
{
	int fd = scratch_make();
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(rmdir("incoming"), 0); /* is empty */
	assert_int_equal(mkdir("incoming", 0700), 0);
	assert_true(scratch_valid(fd));
	close(fd);
}

static void
others_are_not_valid(void **state)
{
	int named = open("incoming/x", O_RDWR | O_CREAT, 0600);
	int folder = open("incoming", O_RDONLY), ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_false(scratch_valid(named));
	assert_false(scratch_valid(folder));
	assert_false(scratch_valid(ends[0]));
	assert_false(scratch_valid(-1));
	unlink("incoming/x");
	assert_true(scratch_valid(named));
	close(named);
	close(folder);
	close(ends[0]);
	close(ends[1]);
}

static void
keep(void *with, struct span bytes)
{
	assert_true(buf_add_span(with, bytes));
}

static void
read_from_its_start_to_the_size(void **state)
{
	struct buf want = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
	int fd = scratch_make();

	(void)state;
	for (int i = 0; i < 40000; i++)
		buf_printf(&want, "%d ", i);
	assert_int_equal(fd_write_all(fd, want.p, want.n), 0);
	assert_int_equal(scratch_read(fd, want.n - 1, keep, &got), 0);
	assert_int_equal(got.n, want.n - 1);
	assert_memory_equal(got.p, want.p, got.n);
	buf_reset(&got);
	assert_int_equal(scratch_read(fd, 0, keep, &got), 0);
	assert_int_equal(got.n, 0);
	buf_fini(&want);
	buf_fini(&got);
	close(fd);
}

struct cutter {
	int fd;
	size_t seen;
};

static void
cut(void *with, struct span bytes)
{
	struct cutter *c = with;

	c->seen += bytes.n;
	assert_int_equal(ftruncate(c->fd, 70000), 0);
}

static void
cut_while_it_is_read(void **state)
{
	struct cutter c = { .fd = scratch_make() };

	(void)state;
	assert_int_equal(ftruncate(c.fd, 300000), 0);
	assert_int_equal(scratch_read(c.fd, 300000, cut, &c), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(c.seen, 70000);
	close(c.fd);
}

static int
enter_folder(void **state)
{
	char template[] = "/tmp/scratch-XXXXXX";

	*state = mkdtemp(template) ? strdup(template) : NULL;
	return *state == NULL || chdir(*state) < 0 || mkdir("incoming", 0700);
}

static int
leave_folder(void **state)
{
	int r = rmdir("incoming") || chdir("/") || rmdir(*state);

	free(*state);
	return r;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_without_a_name),
		cmocka_unit_test(others_are_not_valid),
		cmocka_unit_test(read_from_its_start_to_the_size),
		cmocka_unit_test(cut_while_it_is_read),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
