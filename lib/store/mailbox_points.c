/* SPDX-License-Identifier: ISC */
#include <fcntl.h>

#include "lib/base/fdio.h"
#include "lib/store/mailbox_internal.h"

static bool
take(const struct maildir_folder *files, const char *name,
    struct mailbox_point *out)
{
	struct mail_stamp stamp;

	out->directory = openat(files->dir, name,
	    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out->directory == -1 ||
	    maildir_folder_stamp(files, name, &stamp) == -1 ||
	    !mail_stamp_settled(&stamp)) {
		fd_close(&out->directory);
		return false;
	}
	out->changed =
	    (uint64_t)stamp.seconds * 1000000000U + stamp.nanoseconds;
	return true;
}

size_t
mailbox_points(struct mailbox *m, struct mailbox_point out[MAILBOX_POINTS])
{
	const struct maildir_folder *files = &m->folder->files;

	if (m->folder->deleted || files->dir == -1 ||
	    !take(files, "new", &out[0]))
		return 0;
	if (take(files, "cur", &out[1]))
		return 2;
	fd_close(&out[0].directory);
	return 0;
}
