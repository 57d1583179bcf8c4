/* SPDX-License-Identifier: ISC */
#include "lib/base/file_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/fdio.h"

/* More are asked about each time. */
enum { KNOWN_MAX = 32 };

static struct {
	dev_t device;
	bool loose;
} known[KNOWN_MAX];
static size_t known_count;

/* By "254:0" its name, as in "/sys/fs/ext4/vda". */
static bool
device_name(dev_t device, char *out, size_t room)
{
	char path[64], link[256];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device),
	    minor(device));
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return false;
	link[n] = '\0';
	name = strrchr(link, '/');
	return name != NULL &&
	    (size_t)snprintf(out, room, "%s", name + 1) < room;
}

/* The kernel's thread of it has a number; without one there is "<none>". */
static bool
has_journal(dev_t device)
{
	char name[64], path[128], task[8];
	ssize_t n;
	int fd;

	if (!device_name(device, name, sizeof(name)))
		return false;
	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/journal_task", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd == -1 ? 0 : read(fd, task, sizeof(task));
	fd_close(&fd);
	return n > 0 && task[0] >= '0' && task[0] <= '9';
}

static bool
is_ext(int fd)
{
	struct statfs fs;
	int result = fd == AT_FDCWD ? statfs(".", &fs) : fstatfs(fd, &fs);

	return result == 0 && fs.f_type == EXT4_SUPER_MAGIC;
}

bool
file_system_is_loose(int fd)
{
	int error = errno;
	struct stat st;
	bool loose;

	if (fstatat(fd, "", &st, AT_EMPTY_PATH) != 0)
		return false;
	for (size_t i = 0; i < known_count; i++)
		if (known[i].device == st.st_dev)
			return known[i].loose;
	loose = is_ext(fd) && !has_journal(st.st_dev);
	errno = error;
	if (known_count < KNOWN_MAX) {
		known[known_count].device = st.st_dev;
		known[known_count++].loose = loose;
	}
	return loose;
}

void
file_system_know(int fd)
{
	(void)file_system_is_loose(fd);
}

int
file_system_settle(int fd)
{
	return file_system_is_loose(fd) ? fsync(fd) : 0;
}

int
file_system_settle_folder(int at, const char *path)
{
	int fd, result;

	if (!file_system_is_loose(at))
		return 0;
	fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = fd == -1 ? -1 : fsync(fd);
	fd_close(&fd);
	return result;
}
