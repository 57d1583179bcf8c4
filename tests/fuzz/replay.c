/* SPDX-License-Identifier: ISC */
/*
 * Runs a fuzz target without a fuzzer: every file of its corpus as it is,
 * cut at each length, and with bytes changed (the same changes each time).
 * With arguments: just those files.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEED_MAX = 1 << 20, CUTS = 400, CHANGES = 400 };

static uint64_t noise = 88172645463325252u;

static uint64_t
next_noise(void)
{
	noise ^= noise << 13;
	noise ^= noise >> 7;
	noise ^= noise << 17;
	return noise;
}

/* A copy of exactly that size, so that reading beyond it shows. */
static void
try_input(const char *bytes, size_t n)
{
	uint8_t *copy = mem_new(n);

	if (n > 0)
		memcpy(copy, bytes, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void
try_changes(char *bytes, size_t n)
{
	size_t step = n / CUTS + 1;

	for (size_t cut = 0; cut < n; cut += step)
		try_input(bytes, cut);
	for (int i = 0; i < CHANGES && n > 0; i++) {
		size_t at = next_noise() % n;
		char was = bytes[at];

		bytes[at] = (char)next_noise();
		try_input(bytes, n);
		bytes[at] = was;
	}
}

static int
replay(const char *path)
{
	struct buf seed = BUF_INIT(SEED_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read_whole(fd, &seed) < 0) {
		perror(path);
		fd_close(&fd);
		buf_fini(&seed);
		return 1;
	}
	fd_close(&fd);
	try_input(seed.p, seed.n);
	try_changes(seed.p, seed.n);
	buf_fini(&seed);
	return 0;
}

static int
replay_folder(const char *stem)
{
	const char *source = getenv("srcdir");
	char *folder =
	    mem_printf("%s/tests/fuzz/corpus/%s", source ? source : ".", stem);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int failed = dir == NULL, seen = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char *path;

		if (entry->d_name[0] == '.')
			continue;
		path = mem_printf("%s/%s", folder, entry->d_name);
		failed |= replay(path);
		free(path);
		seen++;
	}
	if (dir != NULL)
		closedir(dir);
	if (seen == 0)
		fprintf(stderr, "%s: no seeds\n", folder);
	free(folder);
	return failed || seen == 0;
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	char stem[128];
	int failed = 0;

	name = name ? name + 1 : argv[0];
	snprintf(stem, sizeof(stem), "%s", name);
	if (strlen(stem) > 5 && strcmp(stem + strlen(stem) - 5, "_fuzz") == 0)
		stem[strlen(stem) - 5] = '\0';
	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return argc > 1 ? failed : replay_folder(stem);
}
