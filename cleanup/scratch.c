/* SPDX-License-Identifier: ISC */
#include "cleanup/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/queue/queue_file.h"

enum { PIECE = 65536 };

static const char queue[] = "incoming"; /* ours to write in */

/*
 * For file systems that cannot make a file without a name. One that a crash
 * leaves behind has the name of a queue file and no footer: qmgr removes it.
 */
static int
make_and_unlink(void)
{
	char id[QUEUE_ID_MAX], path[QUEUE_PATH_MAX];
	int fd;

	queue_id_mint(id);
	queue_path(queue, id, path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd >= 0 && unlink(path) < 0)
		fd_close(&fd);
	return fd;
}

int
scratch_make(void)
{
	/* O_EXCL: it cannot be given a name later */
	int fd = open(queue, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 &&
	    (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
		fd = make_and_unlink();
	return fd;
}

/* Only we make files of ours that have no name. */
bool
scratch_valid(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 &&
	    st.st_uid == geteuid();
}

int
scratch_read(int fd, uint64_t size, void (*take)(void *with, struct span bytes),
    void *with)
{
	static char piece[PIECE];
	uint64_t at = 0;

	while (at < size) {
		size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
		ssize_t got = pread(fd, piece, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO;
		if (got <= 0)
			return -1;
		take(with, (struct span){ piece, (size_t)got });
		at += (uint64_t)got;
	}
	return 0;
}
