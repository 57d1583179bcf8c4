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

struct kind {
	dev_t device;
	bool loose;
	bool journaled;
	bool frees_early;
};

static struct kind known[KNOWN_MAX];
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

/* What the kernel says of an ext file system; "" if that cannot be read. */
static void
ask_ext(const char *folder, dev_t device, const char *about, char *out,
    size_t room)
{
	char name[64], path[128];
	ssize_t n = 0;
	int fd;

	if (device_name(device, name, sizeof(name))) {
		snprintf(path, sizeof(path), "%s/%s/%s", folder, name, about);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd == -1 ? 0 : read(fd, out, room - 1);
		fd_close(&fd);
	}
	out[n > 0 ? n : 0] = '\0';
}

enum journal { JOURNAL_NONE, JOURNAL_THERE, JOURNAL_UNKNOWN };

/* The kernel's thread of it has a number; without one there is "<none>". */
static enum journal
ext_journal(dev_t device)
{
	char task[8];

	ask_ext("/sys/fs/ext4", device, "journal_task", task, sizeof(task));
	if (task[0] == '\0')
		return JOURNAL_UNKNOWN;
	return task[0] >= '0' && task[0] <= '9' ? JOURNAL_THERE : JOURNAL_NONE;
}

/* Does the journal wait for bytes? Without one there is no such line. */
static bool
ext_has_order(dev_t device)
{
	char options[2048];

	ask_ext("/proc/fs/ext4", device, "options", options, sizeof(options));
	return strstr(options, "\ndata=ordered\n") != NULL ||
	    strstr(options, "\ndata=journal\n") != NULL;
}

static struct kind
ask(int fd, dev_t device)
{
	struct kind k = { .device = device };
	int error = errno;
	struct statfs fs;
	enum journal journal;

	if ((fd == AT_FDCWD ? statfs(".", &fs) : fstatfs(fd, &fs)) != 0)
		fs.f_type = 0;
	if (fs.f_type == XFS_SUPER_MAGIC) {
		k.journaled = true;
	} else if (fs.f_type == EXT4_SUPER_MAGIC) {
		journal = ext_journal(device);
		k.loose = journal != JOURNAL_THERE;
		k.journaled = journal != JOURNAL_NONE;
		k.frees_early = k.loose || !ext_has_order(device);
	}
	errno = error;
	return k;
}

static struct kind
kind_of(int fd, dev_t device)
{
	int error = errno;
	struct stat st;
	struct kind k;

	if (device == 0 && fstat(fd, &st) == 0)
		device = st.st_dev;
	errno = error;
	for (size_t i = 0; i < known_count; i++)
		if (known[i].device == device)
			return known[i];
	k = ask(fd, device);
	if (known_count < KNOWN_MAX)
		known[known_count++] = k;
	return k;
}

/* Of one that cannot be asked nothing is said. */
static struct kind
kind_here(int fd)
{
	int error = errno;
	struct stat st;

	if (fstatat(fd, "", &st, AT_EMPTY_PATH) == 0)
		return kind_of(fd, st.st_dev);
	errno = error;
	return (struct kind){ 0 };
}

bool
file_system_is_loose(int fd)
{
	return kind_here(fd).loose;
}

bool
file_system_frees_late(int fd)
{
	return !kind_here(fd).frees_early;
}

/* EACCES of NFS, or ENOSYS, say nothing of the device. */
static bool
is_given_up(int error)
{
	return error == EROFS || error == EIO || error == ESHUTDOWN;
}

static int
ask_for_changes(int fd, enum file_time time)
{
	const struct timespec times[2] = {
		{ .tv_nsec = time == FILE_TIME_READ ? UTIME_NOW : UTIME_OMIT },
		{ .tv_nsec =
			time == FILE_TIME_WRITTEN ? UTIME_NOW : UTIME_OMIT },
	};

	/* the first may be what makes ext4 look at its journal */
	for (int i = 0; i < 2; i++)
		if (futimens(fd, times) != 0)
			return is_given_up(errno) ? -1 : 0;
	return 0;
}

int
file_system_takes_changes(int fd, dev_t device, enum file_time time)
{
	return kind_of(fd, device).journaled ? ask_for_changes(fd, time) : 0;
}

int
file_system_commit(int fd, dev_t device, enum file_time time)
{
	return fsync(fd) == 0 ? file_system_takes_changes(fd, device, time) :
				-1;
}

int
file_system_commit_all(int fd)
{
	return syncfs(fd) == 0 && fsync(fd) == 0 ?
	    ask_for_changes(fd, FILE_TIME_READ) :
	    -1;
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
