/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_NOTIFY_FOLDERS_H
#define IMAPD_NOTIFY_FOLDERS_H

/*
 * The tree of folders as a client of NOTIFY was last told of it, and the
 * difference to what it is now.
 */

#include "imapd/notify_request.h"

struct notify_folder;

struct notify_folders {
	struct notify_folder *byname; /* a hash */
};

void notify_folders_free(struct notify_folders *f);
/*
 * Takes the tree as it is now. What differs and was asked for is told in LIST
 * responses to "out"; NULL: nothing is.
 */
enum mail_result
notify_folders_update(struct notify_folders *f, struct imap_session *s,
    const struct notify_request *r, struct buf *out, struct why *why);
/* The folder and all below it have another name now. */
void notify_folders_rename(struct notify_folders *f, const char *from,
    const char *to, char separator);
/* Is the name subscribed? As last taken. */
bool
notify_folders_subscribed(const struct notify_folders *f, const char *name);
/* For parking: one as last taken, to be put where there are none yet. */
struct notify_known {
	const char *name;
	bool exists, selectable, subscribed;
};

void notify_folders_put(struct notify_folders *f, const struct notify_known *k);
/* Steps through all; false at the end. */
bool notify_folders_step(const struct notify_folders *f,
    struct notify_folder **at, struct notify_known *out);
/* Steps through those that can be selected; NULL at the end. */
const char *
notify_folders_next(const struct notify_folders *f, struct notify_folder **at);

#endif
