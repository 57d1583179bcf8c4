/* SPDX-License-Identifier: ISC */
#include "tools/master_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"

pid_t
master_lock_holder(const char *queue_directory)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path = mem_printf("%s/pid/master.pid", queue_directory);
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	pid_t pid = 0;

	/* it runs on when the disk has failed, and can be stopped */
	if (fd < 0 && errno == EROFS)
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return errno == EACCES ? -1 : 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		pid = lock.l_pid;
	fd_close(&fd);
	return pid;
}
