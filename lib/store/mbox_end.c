/* SPDX-License-Identifier: ISC */
#include "lib/store/mbox_end.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/span.h"
#include "lib/store/mbox_lock.h"

enum {
	SECTOR = 512, /* is on disk whole, or not */
	BEFORE = 2, /* an empty line */
};

static int
cut(int fd, off_t size)
{
	return ftruncate(fd, size) == 0 ? fsync(fd) : -1;
}

/* Where the part's separator ends, or as much of it as there is. */
static off_t
from_line_end(int fd, off_t part)
{
	char bytes[MBOX_BEGIN_MAX];
	ssize_t n = pread(fd, bytes, sizeof(bytes), part);
	size_t at = 0;

	while ((ssize_t)at < n && bytes[at] == '\n')
		at++;
	while ((ssize_t)at < n && bytes[at] != '\n')
		at++;
	return part + (off_t)at;
}

int
mbox_end_cut(int fd, off_t size)
{
	off_t end = from_line_end(fd, size);
	struct stat st;

	if (fstat(fd, &st) != 0)
		st.st_size = size;
	/* on a disk that fails the steps are for nothing, the cut is not */
	for (end += SECTOR - end % SECTOR; end > size; end -= SECTOR)
		if (st.st_size > end && cut(fd, end) != 0)
			break;
	if (ftruncate(fd, size) != 0)
		return -1;
	(void)!fsync(fd);
	return 0;
}

static size_t
zeros(struct span end, bool is_all)
{
	size_t n = 0;

	(void)is_all;
	while (n < end.n && end.p[end.n - 1 - n] == '\0')
		n++;
	return n;
}

/* Does one of ours begin so: "From SENDER  DATE"? */
static bool
begins_from_line(struct span text)
{
	struct span sender = span_skip(text, 5);
	size_t n = span_find(sender, ' ');

	return memcmp(text.p, "From ", text.n < 5 ? text.n : 5) == 0 &&
	    (n + 1 >= sender.n || sender.p[n + 1] == ' ');
}

/* A last line that has no end, behind an empty one; 0: it is none. */
static size_t
torn_from_line(struct span end, bool is_all)
{
	const char *lf = memrchr(end.p, '\n', end.n);
	size_t at = lf == NULL ? 0 : (size_t)(lf - end.p) + 1;

	if (at == 0 ? !is_all : at < BEFORE || end.p[at - BEFORE] != '\n')
		return 0;
	return begins_from_line(span_skip(end, at)) ? end.n - at : 0;
}

/* "surplus" of what ends with the last sector, which must be no more. */
static off_t
without(int fd, off_t size, size_t (*surplus)(struct span end, bool is_all))
{
	char bytes[BEFORE + SECTOR];
	off_t sector = size - 1 - (size - 1) % SECTOR;
	off_t start = sector < BEFORE ? 0 : sector - BEFORE;
	struct span end = { bytes, (size_t)(size - start) };
	off_t n;

	if (size <= 0 || fd_pread_all(fd, bytes, end.n, start) != 0)
		return size;
	n = (off_t)surplus(end, start == 0);
	return n > 0 && n <= size - sector && ftruncate(fd, size - n) == 0 ?
	    size - n :
	    size;
}

off_t
mbox_end_mend(int fd, off_t size)
{
	size = without(fd, size, zeros);
	return size % SECTOR == 0 ? without(fd, size, torn_from_line) : size;
}
