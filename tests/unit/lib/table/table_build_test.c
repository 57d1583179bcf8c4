/* SPDX-License-Identifier: ISC */
#include "lib/table/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/file_system.h"
#include "lib/log/log.h"

static char folder[] = "/tmp/table_build_test.XXXXXX";

static bool given_up;

int __real_file_system_commit(int fd, dev_t device, enum file_time time);
int __wrap_file_system_commit(int fd, dev_t device, enum file_time time);

int
__wrap_file_system_commit(int fd, dev_t device, enum file_time time)
{
	errno = EROFS;
	return given_up ? -1 : __real_file_system_commit(fd, device, time);
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
build(const struct table_build *b)
{
	struct buf error = BUF_INIT(1000);

	if (!table_build(b, &error))
		fail_msg("%s", buf_text(&error));
	buf_fini(&error);
}

static void
expect(const char *path, const char *key, const char *value)
{
	struct buf text = BUF_INIT(1000);
	struct table *t;
	enum table_result r;

	buf_printf(&text, "cdb:%s", path);
	t = table_open(buf_span(&text), &text);
	assert_non_null(t);
	r = table_lookup(t, span_of(key), &text);
	if (value == NULL)
		assert_int_equal(r, TABLE_NONE);
	else
		assert_string_equal(buf_text(&text), value);
	table_free(&t);
	buf_fini(&text);
}

/* Nothing but these files may be left behind. */
static size_t
files(void)
{
	DIR *d = opendir(".");
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int no_locks; /* errno of a file system that has none */

/* In the place of the C library's. */
int
flock(int fd, int operation)
{
	if (no_locks == 0)
		return (int)syscall(SYS_flock, fd, operation);
	errno = no_locks;
	return -1;
}

static void
first_of_equal_keys_counts(void **state)
{
	struct table_build b = { .type = "hash", .path = "m", .fold = true };

	(void)state;
	put("m", "A one\nb two\na three\n");
	chmod("m", 0640);
	build(&b);
	expect("m", "a", "one");
	expect("m", "b", "two");
	expect("m", "c", NULL);
	b.replace = true;
	build(&b);
	expect("m", "a", "three");
	assert_int_equal(files(), 2);
	{
		struct stat st;

		assert_int_equal(stat("m.cdb", &st), 0);
		assert_int_equal(st.st_mode & 0777, 0640);
	}
	b.plain_mode = true;
	build(&b);
	{
		struct stat st;

		assert_int_equal(stat("m.cdb", &st), 0);
		assert_int_equal(st.st_mode & 0777, 0644);
	}
}

static void
case_is_kept_when_asked(void **state)
{
	struct table_build b = { .type = "cdb", .path = "m" };
	struct buf error = BUF_INIT(100);
	struct table *t;

	(void)state;
	put("m", "A one\n");
	build(&b);
	expect("m", "A", NULL);
	t = table_open_flags(SPAN("cdb:m"), TABLE_KEEP_CASE, &error);
	assert_int_equal(table_lookup(t, SPAN("A"), &error), TABLE_FOUND);
	assert_int_equal(table_lookup(t, SPAN("a"), &error), TABLE_NONE);
	table_free(&t);
	buf_fini(&error);
}

static void
aliases(void **state)
{
	struct table_build b = { .type = "hash",
		.path = "al",
		.alias = true,
		.fold = true };

	(void)state;
	put("al",
	    "Root: bob,\n alice # not a comment\n"
	    "\"a b\":\"|/bin/x y\"\nlist: :include:/x\nbad\na@b: c\n");
	build(&b);
	expect("al", "root", "bob, alice # not a comment");
	expect("al", "a b", "\"|/bin/x y\"");
	expect("al", "list", ":include:/x");
	expect("al", "bad", NULL);
	expect("al", "a@b", NULL);
	b.null_bytes = true;
	build(&b);
	expect("al", "root", "bob, alice # not a comment");
}

static void
remove_keys(void **state)
{
	struct table_build b = { .type = "hash", .path = "m", .fold = true };
	const struct span keys[] = { SPAN("B"), SPAN("nowhere") };
	struct buf error = BUF_INIT(1000);
	size_t deleted;

	(void)state;
	put("m", "a one\nb two\nc three\n");
	build(&b);
	assert_true(table_build_delete(&b, keys, 2, &deleted, &error));
	assert_int_equal(deleted, 1);
	expect("m", "a", "one");
	expect("m", "b", NULL);
	expect("m", "c", "three");
	assert_true(table_build_delete(&b, keys, 2, &deleted, &error));
	assert_int_equal(deleted, 0);
	buf_fini(&error);
}

static void
collect(void *with, struct span key, struct span value)
{
	buf_printf(with, "%.*s=%.*s;", SPAN_ARG(key), SPAN_ARG(value));
}

static void
list_and_add(void **state)
{
	struct table_build b = { .type = "hash", .path = "m", .fold = true };
	struct buf error = BUF_INIT(1000);
	struct buf text = BUF_INIT(1000);

	(void)state;
	put("m", "a one\nb two\n");
	build(&b);
	put("m", "b three\nc four\n");
	b.add = true;
	build(&b);
	assert_true(table_build_each(&b, collect, &text, &error));
	assert_string_equal(buf_text(&text), "a=one;b=two;c=four;");
	buf_fini(&text);
	buf_fini(&error);
}

static void
what_cannot_be_built_leaves_the_old_one(void **state)
{
	struct table_build b = { .type = "hash", .path = "m", .fold = true };
	struct buf error = BUF_INIT(1000);

	(void)state;
	put("m", "a one\n");
	build(&b);
	unlink("m");
	assert_false(table_build(&b, &error));
	assert_string_equal(buf_text(&error),
	    "open m: No such file or directory");
	expect("m", "a", "one");
	buf_reset(&error);
	put("m.cdb", "not a database");
	put("m", "b two\n");
	b.add = true;
	assert_false(table_build(&b, &error));
	assert_string_equal(buf_text(&error), "database m.cdb is damaged");
	assert_int_equal(files(), 4);
	buf_fini(&error);
}

static void
root_writes_into_no_strangers_folder(void **state)
{
	struct table_build b = { .type = "hash", .path = "his/m" };
	struct buf error = BUF_INIT(1000);

	(void)state;
	if (geteuid() != 0)
		skip();
	mkdir("his", 0777);
	assert_int_equal(chown("his", 1234, 1234), 0);
	put("his/m", "a b\n");
	assert_false(table_build(&b, &error));
	assert_int_not_equal(access("his/m.cdb", F_OK), 0);
	assert_int_equal(chown("his/m", 1234, 1234), 0);
	buf_reset(&error);
	assert_true(table_build(&b, &error));
	buf_fini(&error);
}

static void
where_there_are_no_locks(void **state)
{
	struct table_build b = { .type = "hash", .path = "m", .fold = true };
	size_t before = files();

	(void)state;
	put("m", "a unlocked\n");
	no_locks = ENOLCK;
	build(&b);
	build(&b);
	no_locks = 0;
	expect("m", "a", "unlocked");
	assert_true(files() <= before + 2); /* m, m.cdb */
}

/* Nobody is told that it is there for good. */
static void
folder_that_cannot_be_flushed(void **state)
{
	const struct table_build b = { .type = "cdb", .path = "given-up" };
	struct buf error = BUF_INIT(1000);

	(void)state;
	put("given-up", "a\t1\n");
	given_up = true;
	assert_false(table_build(&b, &error));
	given_up = false;
	assert_non_null(strstr(buf_text(&error), "flush the folder of"));
	buf_fini(&error);
	expect("given-up", "a", "1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_of_equal_keys_counts),
		cmocka_unit_test(case_is_kept_when_asked),
		cmocka_unit_test(aliases),
		cmocka_unit_test(remove_keys),
		cmocka_unit_test(list_and_add),
		cmocka_unit_test(what_cannot_be_built_leaves_the_old_one),
		cmocka_unit_test(where_there_are_no_locks),
		cmocka_unit_test(root_writes_into_no_strangers_folder),
		cmocka_unit_test(folder_that_cannot_be_flushed),
	};
	char command[64];
	int failed;

	log_threshold(LEVEL_PANIC);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	failed = cmocka_run_group_tests_name("table_build", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? failed : 1;
}
