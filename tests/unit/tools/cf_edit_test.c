/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/cf_edit.h"

/* Acts on lines that begin with the letter of the action. */
static enum cf_action
decide(void *with, struct span line, struct buf *replacement)
{
	(void)with;
	switch (line.p[0]) {
	case 'R':
		buf_printf(replacement, "new of %.*s", SPAN_ARG(line));
		return CF_REPLACE;
	case 'D':
		return CF_REMOVE;
	case 'C':
		return CF_COMMENT;
	case 'X':
		buf_add_text(replacement, "no X");
		return CF_REFUSE;
	default:
		return CF_KEEP;
	}
}

static void
finish(void *with, struct buf *out)
{
	buf_add_text(out, with);
}

static const struct {
	const char *before;
	const char *after;
} rows[] = {
	{ "", "end\n" },
	{ "K1", "K1\nend\n" },
	{ "# c\n\nK1\n  more\n# d\n", "# c\n\nK1\n  more\n# d\nend\n" },
	{ "R1,\n  # in\n\n  two\n# after\nK\n",
	    "new of R1,  two\n  # in\n\n# after\nK\nend\n" },
	{ "D1\n # in\n x\n# after\n", " # in\n# after\nend\n" },
	{ "C1\n\tx\nK\n", "#C1\n#\tx\nK\nend\n" },
};

static void
test_texts(void **state)
{
	char end[] = "end\n";
	const struct cf_edit edit = { decide, finish, end };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT(4096);

		assert_true(cf_edit_text(span_of(rows[i].before), &edit, &out));
		assert_string_equal(buf_text(&out), rows[i].after);
		buf_fini(&out);
	}
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
test_file(void **state)
{
	char end[] = "end\n", folder[] = "/tmp/cf_edit.XXXXXX", text[100];
	const struct cf_edit edit = { decide, finish, end };
	struct buf error = BUF_INIT(4096);
	struct stat st;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	write_file("real.cf", "K\n");
	assert_int_equal(chmod("real.cf", 0640), 0);
	assert_int_equal(symlink("real.cf", "main.cf"), 0);
	assert_true(cf_edit_file("main.cf", &edit, &error));
	assert_int_equal(lstat("main.cf", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat("real.cf", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	f = fopen("real.cf", "r");
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, "K\nend\n");
	write_file("real.cf", "R\nX\n");
	assert_false(cf_edit_file("main.cf", &edit, &error));
	assert_string_equal(buf_text(&error), "no X");
	assert_int_equal(stat("real.cf", &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_false(cf_edit_file("missing.cf", &edit, &error));
	assert_non_null(strstr(buf_text(&error), "missing.cf"));
	unlink("main.cf");
	unlink("real.cf");
	/* nothing was left behind */
	assert_int_equal(rmdir(folder), 0);
	buf_fini(&error);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
