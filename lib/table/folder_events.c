/* SPDX-License-Identifier: ISC */
#include "lib/table/folder_events.h"

#include <linux/magic.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { READ_MAX = 16384 };

static int queue = -1; /* process lifetime */

/* Changed by machines whose changes nobody tells us. */
static const uint32_t shared[] = {
	NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
	CEPH_SUPER_MAGIC, V9FS_MAGIC, OCFS2_SUPER_MAGIC, AFS_SUPER_MAGIC,
	AFS_FS_MAGIC, FUSE_SUPER_MAGIC, 0x01161970, /* GFS2 */
	0x0bd00bd0, /* Lustre */
};

static bool
is_shared(int folder)
{
	struct statfs st;

	if (fstatfs(folder, &st) < 0)
		return true;
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if ((uint32_t)st.f_type == shared[i])
			return true;
	return false;
}

int
folder_events_begin(int folder)
{
	char path[64];

	if (is_shared(folder))
		return -1;
	if (queue < 0)
		queue = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", folder);
	return queue < 0 ? -1 :
			   inotify_add_watch(queue, path,
			       IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR);
}

void
folder_events_read(void (*told)(int number, const char *name))
{
	alignas(struct inotify_event) char events[READ_MAX];
	const struct inotify_event *e;
	ssize_t n;

	while (queue >= 0 && (n = read(queue, events, sizeof(events))) > 0)
		for (ssize_t at = 0; at < n;
		     at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const struct inotify_event *)(events + at);
			if ((e->mask & IN_Q_OVERFLOW) != 0)
				told(-1, NULL);
			else if (e->len > 0)
				told(e->wd, e->name);
		}
}
