/* SPDX-License-Identifier: ISC */
/* A database that somebody else made: asked for a key, and read whole. */
#include "lib/table/lmdb_file.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "tests/unit/lib/table/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf value = BUF_INIT(1 << 20);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct lmdb_file *f;
	struct walk walk = { 0 };
	int error;

	ensure(fd >= 0 && fd_write_all(fd, data, size) == 0);
	f = lmdb_file_open(&fd, &error);
	if (f != NULL) {
		(void)lmdb_file_find(f, span_of("bob@example.test"), &value);
		(void)lmdb_file_each(f, walk_entry, &walk);
	}
	lmdb_file_close(&f);
	fd_close(&fd);
	buf_fini(&value);
	return 0;
}
