/* SPDX-License-Identifier: ISC */
/*
 * Compressed messages of a Maildir: the first byte is the size in the file's
 * name, in units of 16, or none; the rest is the file. What comes out is no
 * longer than that, or the file stays what it was, with a reason.
 */
#include "lib/store/maildir_packed.h"

#include <sys/mman.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "tests/fuzz/mail_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNIT = 16, NO_SIZE = 255, INPUT_MOST = 4096 };

static int directory = -1;

static void
prepare(void)
{
	char *tmp;

	mail_tree_prepare("maildir_packed");
	tmp = mem_printf("%s/tmp", mail_tree.base);
	ensure(mkdir(tmp, 0700) == 0);
	free(tmp);
	directory = open(mail_tree.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ensure(directory >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct why why = { .dsn = "" };
	struct stat st, after;
	uint64_t stored;
	int fd, given;

	if (size == 0 || size > INPUT_MOST)
		return 0;
	if (directory < 0)
		prepare();
	fd = given = memfd_create("packed", MFD_CLOEXEC);
	ensure(fd >= 0 && fd_write_all(fd, data + 1, size - 1) == 0);
	ensure(fstat(fd, &st) == 0);
	stored = data[0] == NO_SIZE ? UINT64_MAX : data[0] * UNIT;
	if (!maildir_unpack(directory, &fd, stored, &st, &why)) {
		ensure(fd == given && why.dsn[0] == '4');
	} else {
		ensure(fstat(fd, &after) == 0 && after.st_size == st.st_size);
		/* what has no size and no mark of its own is left alone */
		ensure(st.st_size == (off_t)size - 1 ||
		    (uint64_t)st.st_size <= stored);
	}
	close(fd);
	return 0;
}
