/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_FOLDER_UIDS_H
#define LIB_STORE_FOLDER_UIDS_H

/*
 * "posthaste-uids", beside a folder's state file: UIDs of messages whose names
 * do not have them. Where many come at once (a Maildir that is opened for the
 * first time) one file is written instead of as many renames. Lines of text,
 * as dovecot-uidlist has them:
 *
 *	3 V1700000000 N2001
 *	17 :1276528487.M364837P9451.mx,S=1355,W=1394
 *
 * It is written as a whole, durably, before any of its UIDs is told, and never
 * added to. A message's name gets its UID when it is renamed for another
 * reason. Lines of files that are gone mean nothing.
 */

#include "lib/base/buf.h"
#include "lib/store/maildir_uidlist.h"

#define FOLDER_UIDS_NAME "posthaste-uids"

struct folder_uids {
	int directory;
	int fd;
	int error; /* errno of the first failure, or 0 */
	struct buf text; /* not written yet */
};

/* "uidnext" is above all that are added. */
void folder_uids_begin(struct folder_uids *w, int directory,
    uint32_t uidvalidity, uint32_t uidnext);
void folder_uids_add(struct folder_uids *w, uint32_t uid, struct span base);
void folder_uids_abort(struct folder_uids *w);
/* In place and durable, if it returns 0; else -1 with errno. */
int folder_uids_end(struct folder_uids *w);

/* NULL: there is none of this UIDVALIDITY. */
struct uidlist *folder_uids_read(int directory, uint32_t uidvalidity);

#endif
