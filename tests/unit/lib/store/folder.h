/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_LIB_STORE_FOLDER_H
#define TESTS_UNIT_LIB_STORE_FOLDER_H

/* A folder for one test, as working directory; gone at the end. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static inline int
folder_enter(void **state)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/store.XXXXXX");
	*state = path;
	return mkdtemp(path) == NULL || chdir(path) != 0;
}

static inline int
folder_leave(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", (const char *)*state);
	return chdir("/") != 0 || system(command) != 0;
}

static inline void
file_put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline const char *
file_get(const char *path)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* The only entry of a directory; "" if there is none. */
static inline const char *
only_entry(const char *directory)
{
	static char path[1024];
	DIR *d = opendir(directory);
	struct dirent *e;

	assert_non_null(d);
	path[0] = '\0';
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		assert_string_equal(path, "");
		snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
	}
	closedir(d);
	return path;
}

#endif
