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

/* How many the file ends with; none where they are more than a sector's. */
static off_t
zeros(int fd, off_t size)
{
	char bytes[1 + SECTOR];
	size_t sector = (size_t)((size - 1) % SECTOR) + 1, n = 0;
	size_t have = size > (off_t)sector ? sector + 1 : sector;

	if (fd_pread_all(fd, bytes, have, size - (off_t)have) != 0)
		return 0;
	while (n < have && bytes[have - 1 - n] == '\0')
		n++;
	return n <= sector ? (off_t)n : 0;
}

/* Where a sender ends: at the first blank that it does not quote. */
static size_t
sender_end(struct span text)
{
	bool quoted = false;
	size_t at;

	for (at = 0; at < text.n && (quoted || text.p[at] != ' '); at++)
		if (text.p[at] == '"')
			quoted = !quoted;
		else if (quoted && text.p[at] == '\\')
			at++;
	return at;
}

/* Does one of ours begin so: "From SENDER  DATE"? */
static bool
begins_from_line(struct span text)
{
	struct span sender = span_skip(text, 5);
	size_t n = sender_end(sender);

	return memcmp(text.p, "From ", text.n < 5 ? text.n : 5) == 0 &&
	    (n + 1 >= sender.n || sender.p[n + 1] == ' ');
}

/* A last line that has no end, behind an empty one; 0: it is none. */
static off_t
torn_from_line(int fd, off_t size)
{
	char bytes[MBOX_BEGIN_MAX];
	size_t have = size < MBOX_BEGIN_MAX ? (size_t)size : MBOX_BEGIN_MAX;
	const char *lf;
	size_t at;

	if (fd_pread_all(fd, bytes, have, size - (off_t)have) != 0)
		return 0;
	lf = memrchr(bytes, '\n', have);
	at = lf == NULL ? 0 : (size_t)(lf - bytes) + 1;
	if (at == 0 ? (off_t)have < size :
		      at < BEFORE || bytes[at - BEFORE] != '\n')
		return 0;
	return begins_from_line((struct span){ bytes + at, have - at }) ?
	    (off_t)(have - at) :
	    0;
}

/* Such a line may be longer than a sector. */
static off_t
without(int fd, off_t size, off_t (*surplus)(int fd, off_t size))
{
	off_t n = size > 0 ? surplus(fd, size) : 0;

	return n > 0 && mbox_end_cut(fd, size - n) == 0 ? size - n : size;
}

off_t
mbox_end_mend(int fd, off_t size)
{
	size = without(fd, size, zeros);
	return size % SECTOR == 0 ? without(fd, size, torn_from_line) : size;
}
