/* SPDX-License-Identifier: ISC */
/*
 * Queue files as a reader finds them. What is read must be within the file,
 * whatever passes its checksum: here everything does. The input is read as it
 * is, and with the size of its trailer made right, so that what grew gets as
 * far as what did not. What is then whole says the same with as many zeros in
 * front of its fields as may be there, and nothing with one more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/queue/queue_crc.h"
#include "lib/queue/queue_field.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MOST = 65536 };

static char path[64];
static char file[INPUT_MOST + PADDING_MAX + 1];

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

/* What can be asked about is what is there. */
static void
check(const struct queue_envelope *e, off_t size)
{
	off_t end = e->content_offset + e->content_size;
	char flags[FLAGS_DIGITS + 1];

	ensure(e->content_offset >= 0 && e->content_size >= 0);
	ensure(end <= size - QUEUE_FOOTER_SIZE);
	ensure(e->flags_offset > end && e->flags_offset < size);
	snprintf(flags, sizeof(flags), "%08x", e->flags);
	ensure(memcmp(file + e->flags_offset, flags, FLAGS_DIGITS) == 0);
	ensure(e->recipient_count > 0);
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct queue_recipient *r = &e->recipients[i];

		ensure(r->offset > end && r->offset < size);
		ensure(file[r->offset] == r->status);
		ensure(strpbrk(r->address, "\r\n") == NULL);
	}
}

static bool
read_file(size_t size, struct arena *a, struct queue_envelope *e)
{
	int fd = scratch();

	ensure(ftruncate(fd, 0) == 0);
	ensure(fd_pwrite_all(fd, file, size, 0) == 0);
	if (queue_read_envelope(fd, NULL, a, e) != QUEUE_OK)
		return false;
	check(e, (off_t)size);
	return true;
}

/* The trailer goes to the footer, wherever it begins. */
static void
make_size_right(size_t size)
{
	size_t end = size - QUEUE_FOOTER_SIZE;
	unsigned char *footer = (unsigned char *)file + end;
	uint64_t offset = queue_get_number(footer + FOOTER_TRAILER, 8);

	if (offset <= end)
		queue_put_number(footer + FOOTER_TRAILER_SIZE, end - offset, 8);
}

/* So many zeros at this place, in a file that was so long. */
static bool
read_padded(size_t size, size_t at, size_t zeros, struct arena *a,
    struct queue_envelope *e)
{
	memmove(file + at + zeros, file + at, size - at);
	memset(file + at, 0, zeros);
	make_size_right(size + zeros);
	return read_file(size + zeros, a, e);
}

static void
check_same(const struct queue_envelope *e, const struct queue_envelope *f,
    off_t by)
{
	ensure(f->content_offset == e->content_offset);
	ensure(f->content_size == e->content_size);
	ensure(f->flags_offset == e->flags_offset + by);
	ensure(strcmp(f->sender, e->sender) == 0 && f->flags == e->flags);
	ensure(f->recipient_count == e->recipient_count);
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct queue_recipient *r = &e->recipients[i];
		const struct queue_recipient *s = &f->recipients[i];

		ensure(s->offset == r->offset + by && s->status == r->status);
		ensure(strcmp(s->address, r->address) == 0);
	}
}

static void
check_padding(size_t size, struct arena *a, const struct queue_envelope *e)
{
	size_t at = (size_t)(e->content_offset + e->content_size);
	struct queue_envelope f;
	size_t zeros = 0;

	while (file[at + zeros] == '\0')
		zeros++;
	ensure(zeros <= PADDING_MAX);
	zeros = PADDING_MAX - zeros;
	ensure(read_padded(size, at, zeros, a, &f));
	check_same(e, &f, (off_t)zeros);
	ensure(!read_padded(size + zeros, at, 1, a, &f));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a;
	struct queue_envelope e;

	if (size < QUEUE_FOOTER_SIZE || size > INPUT_MOST)
		return 0;
	a = arena_new();
	memcpy(file, data, size);
	memset(file + size - QUEUE_FOOTER_SIZE + FOOTER_CRC, 0, 4);
	(void)read_file(size, a, &e);
	make_size_right(size);
	if (read_file(size, a, &e))
		check_padding(size, a, &e);
	arena_free(&a);
	return 0;
}
