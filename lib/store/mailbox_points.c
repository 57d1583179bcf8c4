/* SPDX-License-Identifier: ISC */
#include <fcntl.h>

#include "lib/base/fdio.h"
#include "lib/store/mailbox_kind.h"

/* False: it is not there, or has just been changed. */
static bool
take(const struct maildir_folder *files, const char *name,
    struct mailbox_point *out)
{
	struct mail_stamp stamp;

	out->fd = openat(files->dir, name,
	    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out->fd == -1 || maildir_folder_stamp(files, name, &stamp) == -1 ||
	    !mail_stamp_settled(&stamp)) {
		fd_close(&out->fd);
		return false;
	}
	out->changed =
	    (uint64_t)stamp.seconds * 1000000000U + stamp.nanoseconds;
	return true;
}

size_t
mailbox_points_maildir(struct mailbox_folder *f, bool rights,
    struct mailbox_point out[MAILBOX_POINTS])
{
	static const char *const names[MAILBOX_POINTS] = { "new", "cur", "." };
	size_t wanted = rights ? 3 : 2, n = 0;

	while (n < wanted && take(&f->files, names[n], &out[n]))
		n++;
	if (n == wanted)
		return n;
	while (n > 0)
		fd_close(&out[--n].fd);
	return 0;
}

size_t
mailbox_points(struct mailbox *m, bool rights,
    struct mailbox_point out[MAILBOX_POINTS])
{
	struct mailbox_folder *f = m->folder;

	if (f->deleted || f->files.dir == -1)
		return 0;
	return m->account->kind->points(f, rights, out);
}
