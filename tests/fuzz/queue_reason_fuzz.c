/* SPDX-License-Identifier: ISC */
/*
 * Any file below defer/: reasons come in the order of their offsets, and each
 * is found by its own. Written again, they come back, but for what would have
 * broken a line.
 */
#include "lib/queue/queue_reason.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/queue/queue_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/queue_reason_fuzz.XXXXXX";
static char id[QUEUE_ID_MAX];
static int queue = -1, back = -1;

static void
forget(void)
{
	if (fchdir(queue) == 0)
		(void)rmdir("defer");
	(void)rmdir(folder);
}

static void
prepare(void)
{
	ensure(mkdtemp(folder) != NULL);
	back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	queue = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ensure(back >= 0 && queue >= 0 && mkdirat(queue, "defer", 0700) == 0);
	ensure(atexit(forget) == 0);
	queue_id_mint(id);
}

static void
put(const uint8_t *data, size_t size)
{
	char path[QUEUE_PATH_MAX];
	FILE *f;

	queue_path("defer", id, path);
	f = fopen(path, "w");
	ensure(f != NULL && fwrite(data, 1, size, f) == size);
	ensure(fclose(f) == 0);
}

/* As queue_reason_write has it. */
static bool
comes_back(const char *was, const char *empty, const char *is)
{
	if (*was == '\0')
		was = empty;
	for (; *was != '\0'; was++, is++)
		if (*is != ((unsigned char)*was < ' ' ? '?' : *was))
			return false;
	return *is == '\0';
}

/* A text ends at a NUL, which may leave the sign for none. */
static const char *
mta_of(const struct queue_reason *r)
{
	return strcmp(r->mta, "-") == 0 ? "" : r->mta;
}

static bool
is_alone(const struct queue_reason *all, size_t count, size_t i)
{
	return (i == 0 || all[i - 1].offset < all[i].offset) &&
	    (i + 1 == count || all[i].offset < all[i + 1].offset);
}

static void
check(const struct queue_reason *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct queue_reason *r =
		    queue_reason_find(all, count, all[i].offset);

		ensure(all[i].offset >= 0 && all[i].dsn && all[i].mta &&
		    all[i].text);
		ensure(i == 0 || all[i - 1].offset <= all[i].offset);
		ensure(r != NULL && r->offset == all[i].offset);
	}
	ensure(queue_reason_find(all, count, -1) == NULL);
}

static void
check_again(struct arena *a, const struct queue_reason *all, size_t count)
{
	struct queue_reason *again = NULL;

	ensure(queue_reason_write(id, all, count) == 0);
	ensure(queue_reason_read(id, a, &again) == count);
	for (size_t i = 0; i < count; i++) {
		ensure(again[i].offset == all[i].offset);
		if (is_alone(all, count, i))
			ensure(comes_back(all[i].dsn, "4.0.0", again[i].dsn) &&
			    comes_back(mta_of(&all[i]), "", again[i].mta) &&
			    comes_back(all[i].text, "", again[i].text));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct queue_reason *all = NULL;
	size_t count;

	if (queue < 0)
		prepare();
	ensure(fchdir(queue) == 0);
	put(data, size);
	count = queue_reason_read(id, a, &all);
	check(all, count);
	check_again(a, all, count);
	queue_reason_remove(id);
	arena_free(&a);
	ensure(fchdir(back) == 0);
	return 0;
}
