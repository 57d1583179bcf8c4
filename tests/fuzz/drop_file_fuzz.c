/* SPDX-License-Identifier: ISC */
/*
 * What postdrop reads from anybody. What is understood can be written again,
 * and reads the same.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/queue/drop_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
scratch(const void *data, size_t size)
{
	static int fd = -1;

	if (fd == -1)
		fd = memfd_create("drop", MFD_CLOEXEC);
	ensure(fd != -1 && ftruncate(fd, 0) == 0);
	ensure(fd_pwrite_all(fd, data, size, 0) == 0);
	ensure(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void
check_again(const struct drop_envelope *e, struct arena *a)
{
	struct buf out = BUF_INIT(DROP_ENVELOPE_MAX);
	struct drop_envelope again;
	struct drop_reader *r;

	ensure(drop_put_envelope(&out, e));
	r = drop_reader_new(scratch(out.p, out.n));
	ensure(drop_read_envelope(r, a, &again) == DROP_OK);
	ensure(strcmp(again.sender, e->sender) == 0);
	ensure(again.notes == e->notes && again.ret == e->ret);
	ensure(again.recipient_count == e->recipient_count);
	drop_reader_free(&r);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drop_reader *r = drop_reader_new(scratch(data, size));
	struct arena *a = arena_new();
	struct drop_envelope e;
	struct span chunk;
	bool understood = drop_read_envelope(r, a, &e) == DROP_OK;
	size_t total = 0;

	while (understood && drop_read_chunk(r, &chunk) == DROP_OK)
		total += chunk.n;
	ensure(total <= size);
	drop_reader_free(&r);
	if (understood)
		check_again(&e, a);
	arena_free(&a);
	return 0;
}
