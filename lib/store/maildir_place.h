/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILDIR_PLACE_H
#define LIB_STORE_MAILDIR_PLACE_H

/*
 * The folders "new" of the Maildirs that had mail lately, kept open: the next
 * message for one of them costs one stat(2) in the place of finding it again.
 *
 * That stat is what makes it safe to keep them: a mailbox that was removed,
 * replaced, moved away or given to somebody else since is no longer what its
 * name says, and is found anew. Mailboxes of different owners are different
 * places even under one name.
 */

#include <stdbool.h>
#include <sys/types.h>

struct maildir_place {
	int new; /* its folder, O_PATH; not the caller's */
	dev_t device;
};

enum { MAILDIR_PLACES_MAX = 64 };

/*
 * "new" of the Maildir "path" below the directory "base" (an absolute path),
 * if it is a directory of this user's and no link. NULL with errno; ENOENT
 * when something of it does not exist yet. Good until the next call.
 */
const struct maildir_place *
maildir_place(const char *base, const char *path, uid_t owner);

#endif
