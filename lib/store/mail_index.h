/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_INDEX_H
#define LIB_STORE_MAIL_INDEX_H

/*
 * The index of an account: an LMDB file beside the mail that several
 * processes may have open. It holds copies of what the files say, and what
 * can be computed again; it may be removed at any time when nobody has it
 * open. doc/STORE.md has the format.
 *
 * The file is the mailbox owner's and hostile input: every record carries a
 * check sum and is checked before it is believed. What does not hold is
 * MDB_CORRUPTED to the caller, who has the index made anew.
 *
 * Changes are made in one transaction at a time, which is also the lock that
 * keeps this account's writers, in all processes, apart: files of the mailbox
 * are renamed and unlinked inside of it. Nothing may wait for other tasks
 * while one is open.
 *
 * Calls return true, or false with mail_index_why() to tell; those that look
 * something up return false for "not there" too, and *found says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/span.h"
#include "lib/base/why.h"
#include "lib/store/uid_set.h"

struct mail_index;

enum {
	MAIL_INDEX_ID = 16, /* bytes of MAILBOXID and EMAILID, as numbers */
	MAIL_INDEX_NAME_MAX = 255,
};

/*
 * "path" of the file, relative to the working directory or absolute; "-lock"
 * is put behind it for the second one. One that is damaged, of another
 * version, or not to be trusted after a power cut is set aside as
 * path.damaged (not the last: removed) with a line in the log, and an empty
 * one made. NULL with *why.
 */
struct mail_index *mail_index_open(const char *path, struct why *why);
/* Makes it durable and marks it so, if it was changed. NULL is fine. */
void mail_index_close(struct mail_index **x);

/* Write transactions nest; the innermost commit but one does nothing. */
bool mail_index_begin(struct mail_index *x, struct why *why);
bool mail_index_commit(struct mail_index *x, struct why *why);
void mail_index_abort(struct mail_index *x); /* of all levels */
bool mail_index_writing(const struct mail_index *x);
/* Read transactions, nested; inside of a write transaction they are its. */
bool mail_index_hold(struct mail_index *x);
void mail_index_release(struct mail_index *x);

/* A time that changes with a file's or directory's content. 0: not known. */
struct mail_stamp {
	int64_t seconds;
	uint32_t nanoseconds;
	uint32_t size; /* low bits; of files */
};

/* What is known of a folder. */
struct mail_index_folder {
	uint32_t number; /* in keys; given by the index */
	unsigned char id[MAIL_INDEX_ID];
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint32_t uid_bound; /* of the state file: no UID from here on was
			     * given */
	uint32_t first_recent;
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t unseen_from; /* no message below lacks \Seen */
	uint32_t complete; /* 0: filling it was cut short */
	uint32_t changes; /* entries of the history of changes */
	uint32_t removals; /* and of removals */
	uint64_t highest_modseq;
	uint64_t changed_from; /* the history of changes is whole above */
	uint64_t removed_from; /* that of removals */
	struct mail_stamp cur, new, uidlist, keywords, state;
};

/* Finds the folder by its id; makes a row for it, empty, when "create". */
bool mail_index_folder(struct mail_index *x,
    const unsigned char id[MAIL_INDEX_ID], struct mail_index_folder *out);
bool mail_index_folder_put(struct mail_index *x, struct mail_index_folder *f);
/* All that is known of it, but not the row itself, goes. */
bool mail_index_folder_empty(struct mail_index *x, uint32_t number);
bool mail_index_folder_remove(struct mail_index *x,
    const unsigned char id[MAIL_INDEX_ID]);

enum mail_index_have {
	HAVE_DATE = 1, /* date and save_date */
	HAVE_SIZE = 2,
	HAVE_FORM = 4, /* crlf */
	HAVE_ID = 8, /* email_id */
	IN_NEW = 16, /* the file could not be moved to cur */
	IN_UIDLIST = 32, /* its UID is dovecot-uidlist's, not its name's */
	CRLF_FORM = 64,
};

/* A message. */
struct mail_index_message {
	uint32_t uid;
	uint32_t flags; /* enum mail_flag */
	uint64_t keywords;
	uint64_t modseq;
	int64_t date;
	int64_t save_date;
	uint64_t size;
	uint32_t have; /* enum mail_index_have */
	unsigned char email_id[MAIL_INDEX_ID];
	struct span name; /* of its file now; lives until a change */
};

/* The folder's row, "known" the message as it is, is the caller's to put. */
bool mail_index_get(struct mail_index *x, uint32_t folder, uint32_t uid,
    struct mail_index_message *out);
bool mail_index_put(struct mail_index *x, uint32_t folder,
    const struct mail_index_message *m);
bool mail_index_remove(struct mail_index *x, uint32_t folder, uint32_t uid);

#endif
