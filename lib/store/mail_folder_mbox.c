/* SPDX-License-Identifier: ISC */
/* Folders that are files. Links and other things are none. */
#include "lib/store/mail_folder_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"

/* Dot files are other programs', and ours; locks are everybody's. */
static bool
is_none(struct span name)
{
	return span_starts(name, ".") ||
	    (name.n >= 5 && span_is(span_skip(name, name.n - 5), ".lock"));
}

enum mail_place_kind
mail_tree_mbox_kind(const struct mail_tree *t, const char *path)
{
	struct span rest = span_of(path), level;
	struct stat st;

	while (span_cut(&rest, "/", false, &level))
		if (is_none(level))
			return PLACE_NONE;
	if (fstatat(t->root, path, &st, 0) != 0)
		return PLACE_NONE;
	if (S_ISDIR(st.st_mode))
		return PLACE_PARENT;
	return S_ISREG(st.st_mode) ? PLACE_FOLDER : PLACE_NONE;
}

bool
mail_tree_mbox_skips(const char *name, bool top)
{
	/* Dovecot's own INBOX, where it has no other: not ours */
	return is_none(span_of(name)) ||
	    (top && strcasecmp(name, "INBOX") == 0 &&
		strcmp(name, "INBOX") != 0);
}

int
mail_tree_mbox_make(struct mail_tree *t, const char *path, bool folder)
{
	int fd;

	if (!folder) {
		if (mkdirat(t->root, path, 0700) == 0)
			return mail_tree_flush(t, path);
		if (errno != EEXIST)
			return -1;
		errno = ENOTDIR;
		return mail_tree_mbox_kind(t, path) == PLACE_PARENT ? 0 : -1;
	}
	fd = openat(t->root, path,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	fd_close(&fd);
	return 0;
}

int
mail_tree_mbox_remove(struct mail_tree *t, const struct mail_place *p)
{
	return unlinkat(t->root, p->path,
	    p->kind == PLACE_FOLDER ? 0 : AT_REMOVEDIR);
}
