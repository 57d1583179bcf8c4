/* SPDX-License-Identifier: ISC */
/*
 * Files that root alone can read, for a program that was root when it opened
 * them: when does it ask for a restart? Each row is a process of its own.
 */
#include "lib/table/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/log/log.h"
#include "lib/table/table.h"

enum { NOBODY = 65534, LOOK_US = 700 * 1000, YOUNG_US = 60 * 1000 };

static char folder[] = "/tmp/watch_test.XXXXXX";

static void
put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_true(write(fd, text, strlen(text)) >= 0);
	close(fd);
}

/* All of it an hour ago. */
static void
age(const char *name)
{
	struct timespec t[2];

	clock_gettime(CLOCK_REALTIME, &t[0]);
	t[0].tv_sec -= 3600;
	t[1] = t[0];
	assert_int_equal(utimensat(AT_FDCWD, name, t, 0), 0);
}

static void
write_good(void)
{
	put("in/map", "a 1\n");
}

static void
write_other(void)
{
	put("in/map", "a 22\n");
}

static void
write_beside(void)
{
	put("in/unrelated", "x");
}

static void
write_nothing(void)
{
}

static void
write_database(void)
{
	put("in/map.cdb", "x");
}

static void
write_link(void)
{
	put("in/one", "a 1\n");
	put("in/two", "a 1\n");
	assert_int_equal(symlink("one", "in/map"), 0);
}

static void
switch_link(void)
{
	assert_int_equal(symlink("two", "in/other"), 0);
	assert_int_equal(rename("in/other", "in/map"), 0);
}

/* Larger than any text may be. */
static void
write_large(void)
{
	put("in/map", "");
	assert_int_equal(truncate("in/map", (off_t)1 << 32), 0);
}

static void
write_damaged(void)
{
	put("in/map.cdb", "no database");
}

static void
write_less_damaged(void)
{
	put("in/map.cdb", "no database either");
}

static const struct {
	const char *name, *spec;
	mode_t mode; /* of the folder */
	void (*before)(void), (*after)(void);
	bool quiet; /* the folder, until then */
	bool restart;
} rows[] = {
	{ "good, changed", "texthash:in/map", 0700, write_good, write_other,
	    false, true },
	{ "good, as it was", "texthash:in/map", 0700, write_good, write_nothing,
	    false, false },
	{ "too large, mended", "texthash:in/map", 0700, write_large, write_good,
	    false, true },
	{ "too large, mended, in an open folder", "texthash:in/map", 0711,
	    write_large, write_good, false, true },
	{ "too large, as it was", "texthash:in/map", 0711, write_large,
	    write_nothing, false, false },
	{ "too large, mended, hash", "hash:in/map", 0700, write_large,
	    write_good, false, true },
	{ "damaged, another", "cdb:in/map", 0700, write_damaged,
	    write_less_damaged, false, true },
	{ "damaged, another, in an open folder", "cdb:in/map", 0711,
	    write_damaged, write_less_damaged, false, true },
	{ "damaged, as it was", "cdb:in/map", 0711, write_damaged,
	    write_nothing, false, false },
	{ "none, in an open folder", "texthash:in/map", 0711, write_nothing,
	    write_good, false, true },
	{ "none, in a quiet folder", "texthash:in/map", 0700, write_nothing,
	    write_good, true, true },
	{ "none, in a busy folder", "texthash:in/map", 0700, write_nothing,
	    write_good, false, true },
	{ "none, in a quiet folder, untold", "texthash:in/map", 0700,
	    write_nothing, write_good, true, true },
	{ "hash, another file in a quiet folder", "hash:in/map", 0700,
	    write_good, write_beside, true, false },
	{ "hash, another file in a quiet folder, untold", "hash:in/map", 0700,
	    write_good, write_beside, true, true },
	{ "hash, another file in a busy folder, untold", "hash:in/map", 0700,
	    write_good, write_beside, false, false },
	{ "hash, its database is made in a busy folder", "hash:in/map", 0700,
	    write_good, write_database, false, true },
	{ "another file for a link, in a busy folder", "texthash:in/map", 0700,
	    write_link, switch_link, false, true },
	{ "a link as it was, in a busy folder", "texthash:in/map", 0700,
	    write_link, write_beside, false, false },
	{ "hash, changed in a busy folder", "hash:in/map", 0700, write_good,
	    write_other, false, true },
	{ "none, another file in a busy folder", "texthash:in/map", 0700,
	    write_nothing, write_beside, false, false },
	{ "none, another file in a busy folder, untold", "texthash:in/map",
	    0700, write_nothing, write_beside, false, false },
};

static bool untold;

/* In libc's place. */
int
inotify_init1(int flags)
{
	return untold ? -1 : (int)syscall(SYS_inotify_init1, flags);
}

static void
look_at(struct table *t)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);

	(void)table_lookup(t, SPAN("a"), &value);
	buf_fini(&value);
}

/* In a process of its own: exit status 1 for a restart. */
_Noreturn static void
run(size_t i)
{
	struct buf error = BUF_INIT(1024);
	struct table *t;

	/* the kernel tells no names */
	untold = strstr(rows[i].name, "untold") != NULL;
	assert_int_equal(mkdir("in", 0700), 0);
	rows[i].before();
	assert_int_equal(chmod("in", rows[i].mode), 0);
	if (rows[i].quiet)
		age("in");
	usleep(YOUNG_US); /* what is younger may have changed unseen */
	t = table_open(span_of(rows[i].spec), &error);
	assert_non_null(t);
	assert_int_equal(seteuid(NOBODY), 0);
	usleep(LOOK_US);
	look_at(t);
	if (table_restart_wanted())
		_exit(2);
	assert_int_equal(seteuid(0), 0);
	rows[i].after();
	usleep(YOUNG_US);
	assert_int_equal(seteuid(NOBODY), 0);
	/* twice: a file at rest is one that was left alone for a moment */
	usleep(LOOK_US);
	look_at(t);
	usleep(LOOK_US);
	look_at(t);
	_exit(table_restart_wanted() ? 1 : 0);
}

/* All at once: they wait most of the time. */
static void
restarts(void **state)
{
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
	pid_t pids[ROWS];
	char name[64];
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ROWS; i++) {
		snprintf(name, sizeof(name), "%s/%zu", folder, i);
		assert_int_equal(mkdir(name, 0755), 0);
		pids[i] = fork();
		if (pids[i] == 0) {
			assert_int_equal(chdir(name), 0);
			run(i);
		}
	}
	for (size_t i = 0; i < ROWS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		if (status != (rows[i].restart ? 1 << 8 : 0))
			print_error("%s: %x\n", rows[i].name, status);
		assert_int_equal(status, rows[i].restart ? 1 << 8 : 0);
	}
}

/* Seconds ago, or to come: only one of now may hide another in its tick. */
static void
stamps(void **state)
{
	static const int ages[] = { 3600, 1, -1, -3600 };
	struct watch_stamp stamp;
	struct timespec now;
	struct stat st;

	(void)state;
	assert_int_equal(stat(folder, &st), 0);
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		clock_gettime(CLOCK_REALTIME, &now);
		st.st_ctim = now;
		st.st_ctim.tv_sec -= ages[i];
		watch_stamp_set(&stamp, &st);
		assert_true(watch_stamp_same(&stamp, &st));
		st.st_ctim.tv_sec++;
		assert_false(watch_stamp_same(&stamp, &st));
	}
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chmod(folder, 0755) != 0;
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restarts),
		cmocka_unit_test(stamps),
	};

	log_open_stderr("watch_test");
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
