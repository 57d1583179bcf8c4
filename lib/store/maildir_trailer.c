/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_trailer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/log/log.h"
#include "lib/queue/queue_layout.h"

/* Behind a power cut amid the cut it may be zeros, or a part of it. */
static bool
is_magic(const char *bytes)
{
	for (size_t i = 0; i < QUEUE_MAGIC_SIZE; i++)
		if (bytes[i] != QUEUE_MAGIC[i] && bytes[i] != '\0')
			return false;
	return true;
}

bool
maildir_trailer_follows(int fd, uint64_t stored, off_t length)
{
	char magic[QUEUE_MAGIC_SIZE];

	return length >= QUEUE_FOOTER_SIZE &&
	    stored <= (uint64_t)length - QUEUE_FOOTER_SIZE &&
	    fd_pread_all(fd, magic, sizeof(magic),
		length - QUEUE_FOOTER_SIZE) == 0 &&
	    is_magic(magic);
}

/*
 * Where what is cut off is the next file's at once, the new name is on disk
 * before (by the old one the queue reads all of it), and the length behind.
 */
static int
cut(int fd, off_t size)
{
	bool frees_late = file_system_frees_late(fd);

	if (!frees_late && fsync(fd) != 0)
		return -1;
	if (ftruncate(fd, size) != 0)
		return -1;
	if (!frees_late)
		(void)!fsync(fd);
	return 0;
}

void
maildir_trailer_cut(int *writable, const char *name, uint64_t stored,
    struct stat *st)
{
	if (*writable == -1 || cut(*writable, (off_t)stored) != 0)
		log_warning("%s: the queue's trailer cannot be cut off: %s",
		    name, strerror(errno));
	else
		st->st_size = (off_t)stored;
	fd_close(writable);
}
