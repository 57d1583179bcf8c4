/* SPDX-License-Identifier: ISC */
/*
 * Queue files as a reader finds them. What is read must be within the file,
 * whatever passes its checksum: here everything does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/queue/queue_crc.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

/* In place of lib/queue/queue_crc.c: what every file is given as its own. */
uint32_t
queue_crc(uint32_t crc, const void *data, size_t n)
{
	(void)crc, (void)data, (void)n;
	return 0;
}

static void
remove_scratch(void)
{
	unlink(path);
}

/* A file with a name: the reader takes one without for a deleted one. */
static int
scratch(void)
{
	static int fd = -1;

	if (fd == -1) {
		snprintf(path, sizeof(path), "/tmp/queue_file_fuzz.XXXXXX");
		fd = mkstemp(path);
		ensure(fd != -1);
		atexit(remove_scratch);
	}
	return fd;
}

static void
check(const struct queue_envelope *e, off_t size)
{
	ensure(e->content_offset >= 0 && e->content_size >= 0);
	ensure(e->content_offset + e->content_size <= size - QUEUE_FOOTER_SIZE);
	ensure(e->flags_offset > 0 && e->flags_offset < size);
	ensure(e->recipient_count > 0);
	for (size_t i = 0; i < e->recipient_count; i++) {
		ensure(e->recipients[i].offset >
		    e->content_offset + e->content_size);
		ensure(e->recipients[i].offset < size);
		ensure(strpbrk(e->recipients[i].address, "\r\n") == NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char no_crc[4];
	struct arena *a = arena_new();
	struct queue_envelope e;
	int fd = scratch();

	ensure(ftruncate(fd, 0) == 0);
	ensure(fd_pwrite_all(fd, data, size, 0) == 0);
	if (size >= QUEUE_FOOTER_SIZE)
		ensure(
		    fd_pwrite_all(fd, no_crc, sizeof(no_crc),
			(off_t)(size - QUEUE_FOOTER_SIZE + FOOTER_CRC)) == 0);
	if (queue_read_envelope(fd, NULL, a, &e) == QUEUE_OK)
		check(&e, (off_t)size);
	arena_free(&a);
	return 0;
}
