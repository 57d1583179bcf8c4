/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FUZZ_SCRIBBLED_H
#define TESTS_FUZZ_SCRIBBLED_H

/*
 * A file of numbers that processes share, while one of them was taken over:
 * it writes there what it likes. The file lies in a folder of the process, and
 * goes with it.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/base/span.h"

static struct {
	char folder[64];
	char *path;
	uint64_t *words; /* of the file's first part */
	uint64_t *before; /* as they were */
	size_t count;
} scribbled;

static inline void
scribbled_forget(void)
{
	(void)unlink(scribbled.path);
	(void)rmdir(scribbled.folder);
}

/* A folder for the file, of which the program makes "name". */
static inline const char *
scribbled_folder(const char *name)
{
	snprintf(scribbled.folder, sizeof(scribbled.folder),
	    "/tmp/scribbled.XXXXXX");
	ensure(mkdtemp(scribbled.folder) != NULL);
	scribbled.path = mem_printf("%s/%s", scribbled.folder, name);
	ensure(atexit(scribbled_forget) == 0);
	return scribbled.folder;
}

/* So many bytes of it, or all, are ours as well. */
static inline void
scribbled_map(size_t most)
{
	int fd = open(scribbled.path, O_RDWR | O_CLOEXEC);
	struct stat st;
	size_t n;

	ensure(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0);
	n = (size_t)st.st_size < most ? (size_t)st.st_size : most;
	scribbled.count = n / sizeof(uint64_t);
	scribbled.words =
	    mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ensure(scribbled.words != MAP_FAILED);
	scribbled.before = mem_new(n);
	memcpy(scribbled.before, scribbled.words, n);
	close(fd);
}

static inline void
scribbled_restore(void)
{
	memcpy(scribbled.words, scribbled.before,
	    scribbled.count * sizeof(uint64_t));
}

/* The next bytes of the input as a number; zeros at its end. */
static inline uint64_t
scribbled_number(struct span *in, size_t bytes)
{
	struct span part = span_take(*in, bytes);
	uint64_t n = 0;

	if (part.n > 0)
		memcpy(&n, part.p, part.n);
	*in = span_skip(*in, bytes);
	return n;
}

/* Of all words that are not zero, one: which byte 255 is, all. */
static inline void
scribbled_write(struct span *in)
{
	size_t which = scribbled_number(in, 1);
	uint64_t value = scribbled_number(in, 8);
	size_t seen = 0;

	for (size_t i = 0; i < scribbled.count; i++)
		if (which == 255)
			scribbled.words[i] = value;
		else if (scribbled.words[i] != 0 && seen++ == which) {
			scribbled.words[i] = value;
			return;
		}
}

#endif
