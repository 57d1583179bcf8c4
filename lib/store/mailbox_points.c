/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/fdio.h"
#include "lib/store/mail_folder_tree.h"
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

static bool
take_directory(int directory, struct mailbox_point *out)
{
	struct mail_stamp stamp = { 0 };
	struct stat st;

	out->fd = openat(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->fd == -1 || fstat(out->fd, &st) == -1) {
		fd_close(&out->fd);
		return false;
	}
	stamp.seconds = st.st_ctim.tv_sec;
	stamp.nanoseconds = (uint32_t)st.st_ctim.tv_nsec;
	out->changed =
	    (uint64_t)stamp.seconds * 1000000000U + stamp.nanoseconds;
	if (mail_stamp_settled(&stamp))
		return true;
	fd_close(&out->fd);
	return false;
}

size_t
mail_account_points(struct mail_account *a,
    struct mailbox_point out[MAILBOX_POINTS])
{
	const struct mail_tree *t = a->tree;

	if (t->at.mbox || t->at.naming.fs || !take_directory(t->root, &out[0]))
		return 0;
	if (t->control == t->root)
		return 1;
	if (take_directory(t->control, &out[1]))
		return 2;
	fd_close(&out[0].fd);
	return 0;
}
