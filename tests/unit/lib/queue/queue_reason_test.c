/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/queue/queue_file.h"
#include "lib/queue/queue_reason.h"

static char id[QUEUE_ID_MAX];

static int
enter(void **state)
{
	static char dir[] = "/tmp/queue_reason.XXXXXX";

	(void)state;
	queue_id_mint(id);
	return mkdtemp(dir) == NULL || chdir(dir) != 0 ||
	    mkdir("defer", 0700) != 0;
}

static int
leave(void **state)
{
	char dir[512];

	(void)state;
	return getcwd(dir, sizeof(dir)) == NULL || rmdir("defer") != 0 ||
	    rmdir(dir) != 0;
}

static void
comes_back_sorted(void **state)
{
	static const struct queue_reason in[] = {
		{ 300, "4.4.1", "", "connect to x: timed out" },
		{ 100, "4.4.1", "", "connect to x: timed out" },
		{ 200, "4.2.2", "mx.test", "452 mailbox\nfull" },
	};
	struct arena *a = arena_new();
	struct queue_reason *out;

	(void)state;
	assert_int_equal(queue_reason_write(id, in, 3), 0);
	assert_int_equal(queue_reason_read(id, a, &out), 3);
	assert_int_equal(out[0].offset, 100);
	assert_string_equal(out[0].text, "connect to x: timed out");
	assert_string_equal(out[0].mta, "");
	assert_string_equal(out[1].text, "452 mailbox?full");
	assert_string_equal(out[1].dsn, "4.2.2");
	assert_string_equal(out[1].mta, "mx.test");
	assert_ptr_equal(queue_reason_find(out, 3, 300), &out[2]);
	assert_null(queue_reason_find(out, 3, 301));
	queue_reason_remove(id);
	assert_int_equal(queue_reason_read(id, a, &out), 0);
	arena_free(&a);
}

static void
nonsense_is_no_reason(void **state)
{
	static const char *const bad[] = { "", "posthaste-reasons 2\nfor 1\n",
		"posthaste-reasons 1\nfor 1\n", "posthaste-reasons 1\nwhy x\n",
		"posthaste-reasons 1\nwhy 4.0.0 - x\nfor -1\n" };
	struct arena *a = arena_new();
	struct queue_reason *out;
	char path[QUEUE_PATH_MAX];

	(void)state;
	queue_path("defer", id, path);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs(bad[i], f);
		fclose(f);
		assert_int_equal(queue_reason_read(id, a, &out), 0);
	}
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(queue_reason_read(id, a, &out), 0);
	unlink(path);
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_sorted),
		cmocka_unit_test(nonsense_is_no_reason),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
