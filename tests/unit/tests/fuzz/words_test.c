/* SPDX-License-Identifier: ISC */
/*
 * Each fuzz target has a dictionary, or a row in tests/fuzz/words.c that says
 * that its input has no words.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
/* behind those it needs */
#include <cmocka.h>

#include "lib/base/mem.h"

static char *
stem_of(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return mem_printf("%.*s", (int)(strlen(name) - strlen("_fuzz.c")),
	    name);
}

/* How many words there are; or that there are none, as a row says. */
static bool
has_words(const char *stem)
{
	char *command = mem_printf("tests/fuzz/words %s", stem);
	FILE *f = popen(command, "r");
	size_t words = 0;
	bool none = false;
	char line[4096];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		words += line[0] == '"';
		none |= strcmp(line, "# none\n") == 0;
	}
	free(command);
	return pclose(f) == 0 && none == (words == 0);
}

static void
each_target_has_words_or_knows_of_none(void **state)
{
	const char *top = getenv("srcdir");
	char *pattern =
	    mem_printf("%s/tests/fuzz/*_fuzz.c", top != NULL ? top : ".");
	glob_t found;

	(void)state;
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 70);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char *stem = stem_of(found.gl_pathv[i]);

		if (!has_words(stem))
			fail_msg("%s: no words, and no row in "
				 "tests/fuzz/words.c that says so",
			    stem);
		free(stem);
	}
	globfree(&found);
	free(pattern);
}

static void
others_are_no_targets(void **state)
{
	(void)state;
	assert_false(has_words("another 2>/dev/null"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_target_has_words_or_knows_of_none),
		cmocka_unit_test(others_are_no_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
