/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILBOX_LOOK_H
#define LIB_STORE_MAILBOX_LOOK_H

/*
 * One look at a Maildir folder, inside of a transaction: its names compared
 * with the rows (mailbox_look.c), UIDs of lists (mailbox_listing.c), and what
 * is new (mailbox_adopt.c). mailbox_sync.c says when.
 */

#include "lib/store/mailbox_scan.h"
#include "lib/store/maildir_uidlist.h"

/* How well a folder's row is known to be the directory's. */
enum {
	FOLDER_FILLED = 2, /* others were at work: something may be missing */
	FOLDER_COMPLETE = 1,
};

enum { SCAN_PASSES = 6 /* over a directory that others are changing */ };

struct scan {
	struct mailbox *m;
	struct mailbox_folder *f;
	struct why *why;
	enum mail_result result;
	bool loading; /* there are no rows yet */
	bool quiet; /* nobody changed the directory while it was read */
	bool listing_read;
	bool relisted; /* the listing is the file's, not the rows' */
	struct uidlist *listing; /* Dovecot's; or NULL */
	struct uidlist *own; /* posthaste-uids; or NULL */
	struct uid_bits seen;
	struct scan_names known; /* with a UID, without a row */
	struct scan_names unknown;
	struct scan_names doubles; /* of a UID that was seen already */
	uint32_t highest; /* UID seen */
};

void scan_init(struct scan *s, struct mailbox *m, struct why *why);
void scan_fini(struct scan *s);
/*
 * Reads cur: rows follow what others did; what has no UID yet is in "unknown".
 * Results are also in s->result.
 */
enum mail_result scan_look(struct scan *s);

/* Lists of UIDs, from the files where they are new to us. */
void scan_listing_read(struct scan *s);
/*
 * *listed: IN_UIDLIST if Dovecot's list knows better than the name,
 * IN_OWN_LIST if the name says nothing, else 0.
 */
uint32_t
scan_uid_of(struct scan *s, const struct maildir_file *file, uint32_t *listed);

/* Rows for those in "known", in the order of UIDs. */
void scan_flush_known(struct scan *s);
/* UIDs and rows for those in "unknown"; _many: in a list, if they are many. */
enum mail_result scan_adopt(struct scan *s);
enum mail_result scan_adopt_many(struct scan *s);
/* And for what is in new, until that was seen empty. */
enum mail_result scan_adopt_new(struct scan *s);

#endif
