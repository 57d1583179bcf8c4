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
 * a failure to the caller, and the index is set aside and made anew as soon
 * as no transaction is open.
 *
 * Changes are made in one transaction at a time, which is also the lock that
 * keeps this account's writers, in all processes, apart: files of the mailbox
 * are renamed and unlinked inside of it. Nothing may wait for other tasks
 * while one is open.
 *
 * Calls return true, or false with mail_index_why() to tell.
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

/* Learns which boot of the machine this is; where it cannot, none is ours. */
void mail_index_prepare(void);
const char *mail_index_boot(void); /* its id; "": not known */
/*
 * "path" of the file, relative to the working directory or absolute; "-lock"
 * is put behind it for the second one. One that is damaged, of another
 * version, or not to be trusted after a power cut is set aside as
 * path.damaged (not the last: removed) with a line in the log, and an empty
 * one made. NULL with *why.
 */
struct mail_index *mail_index_open(const char *path, struct why *why);
/*
 * The same, relative to a directory, which must stay open for as long as the
 * index is.
 */
struct mail_index *
mail_index_open_at(int at, const char *path, struct why *why);
/* It was made anew, perhaps because the machine stopped while it was in use. */
bool mail_index_after_stop(const struct mail_index *x);
/* Makes it durable and marks it so, if it was changed. NULL is fine. */
void mail_index_close(struct mail_index **x);

/*
 * Its file, so that whoever opens it next begins from the mail; "what" is for
 * the log. Not in a transaction. It stays open here.
 */
void mail_index_set_aside(struct mail_index *x, const char *what);

/* Write transactions nest; the innermost commit but one does nothing. */
bool mail_index_begin(struct mail_index *x, struct why *why);
bool mail_index_commit(struct mail_index *x, struct why *why);
/*
 * Commits, and begins again: false also when the index was exchanged in
 * between, so that numbers of folders hold. Then no transaction is open.
 */
bool mail_index_go_on(struct mail_index *x, struct why *why);
void mail_index_abort(struct mail_index *x); /* of all levels */
bool mail_index_writing(const struct mail_index *x);
/* Is the open write transaction not inside of another one? */
bool mail_index_outermost(const struct mail_index *x);
/* Read transactions, nested; inside of a write transaction they are its. */
bool mail_index_hold(struct mail_index *x);
void mail_index_release(struct mail_index *x);
bool mail_index_held(const struct mail_index *x);

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
	uint32_t first_recent;
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t unseen_from; /* no message below lacks \Seen */
	uint32_t complete; /* 0: filling it was cut short; mailbox_sync.c */
	uint32_t changes; /* entries of the history of changes */
	uint32_t removals; /* and of removals */
	uint32_t own_list; /* some have their UIDs of posthaste-uids */
	uint64_t keywords; /* that messages have, or have had */
	uint64_t highest_modseq;
	uint64_t flushed; /* all up to here is on disk; mailbox_settle.c */
	uint64_t changed_from; /* the history of changes is whole above */
	uint64_t removed_from; /* that of removals */
	struct mail_stamp cur, new, uidlist;
};

/* Finds the folder by its id. */
bool
mail_index_folder(struct mail_index *x, const unsigned char id[MAIL_INDEX_ID],
    struct mail_index_folder *out, bool *found);
/* All of them, in no order; the visit may not change any. */
typedef bool
mail_index_folder_visit(void *with, const struct mail_index_folder *f);
bool mail_index_folders(struct mail_index *x, mail_index_folder_visit *visit,
    void *with);
/* One whose number is 0 is given one. */
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
	IN_OWN_LIST = 128, /* its UID is posthaste-uids' */
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

/* *found false: no such row. Facts that were noted count. */
bool mail_index_get(struct mail_index *x, uint32_t folder, uint32_t uid,
    struct mail_index_message *out, bool *found);
/* Quickest in the order of UIDs. The caller counts. */
bool mail_index_put(struct mail_index *x, uint32_t folder,
    const struct mail_index_message *m);
/* The same for one whose UID is above all, most likely: packed densely. */
bool mail_index_append(struct mail_index *x, uint32_t folder,
    const struct mail_index_message *m);
/* The row alone: what is cached of it goes with mail_index_forget. */
bool mail_index_remove(struct mail_index *x, uint32_t folder, uint32_t uid);

/* False ends the walk. Nothing may be changed meanwhile. */
typedef bool mail_index_visit(void *with, const struct mail_index_message *m);
/* The rows from "from" on, ascending. */
bool mail_index_walk(struct mail_index *x, uint32_t folder, uint32_t from,
    mail_index_visit *visit, void *with);
/* The rows of those that are there. */
bool mail_index_walk_set(struct mail_index *x, uint32_t folder,
    const struct uid_set *uids, mail_index_visit *visit, void *with);

/* Which UIDs there are, as bits: opening a view reads no rows. */
bool mail_index_present(struct mail_index *x, uint32_t folder,
    const struct uid_set *uids, bool there);
/* Those from "from" to "to" are added to *out. */
bool mail_index_uids(struct mail_index *x, uint32_t folder, uint32_t from,
    uint32_t to, struct uid_set *out);

enum mail_index_history { HISTORY_CHANGES = 2, HISTORY_REMOVALS = 3 };

/*
 * "uids" were changed (came), or removed, with this modification sequence;
 * once for each of them. Counts in *f; drops the oldest when there are too
 * many.
 */
bool mail_index_history_add(struct mail_index *x, struct mail_index_folder *f,
    enum mail_index_history kind, uint64_t modseq, const struct uid_set *uids);
/* All since; *complete false: it does not go back so far. */
bool mail_index_history(struct mail_index *x, const struct mail_index_folder *f,
    enum mail_index_history kind, uint64_t since, struct uid_set *out,
    bool *complete);

/*
 * Values computed from messages. mail_index_cache keeps them in memory at
 * first: they are written with the next transaction, or when there are many
 * (then by itself, unless a transaction or a hold is open).
 */
struct span mail_index_cached(struct mail_index *x, uint32_t folder,
    uint32_t uid, unsigned int slot);
void mail_index_cache(struct mail_index *x, uint32_t folder, uint32_t uid,
    unsigned int slot, struct span value);
/* What was learned of a message's file: fields that m->have names. */
void mail_index_note(struct mail_index *x, uint32_t folder,
    const struct mail_index_message *m);
/* Of messages that are gone. */
bool mail_index_forget(struct mail_index *x, uint32_t folder,
    const struct uid_set *uids);
/* Writes what is kept in memory, however little. */
void mail_index_flush(struct mail_index *x);
/* If it is much, and gives its memory back: nobody waits for us now. */
void mail_index_rest(struct mail_index *x);

/*
 * Looks through a file without opening it as an index, and without changing
 * it: every page and value. "" or what is wrong with it. (A writer at work may
 * make it look wrong; it is looked at again then.)
 */
const char *mail_index_check(const char *path);

/*
 * Goes up by one whenever the index was made anew, and is empty: what is open
 * then reads its folders again.
 */
unsigned int mail_index_generation(const struct mail_index *x);
/* Why the last call failed. */
void mail_index_why(const struct mail_index *x, struct why *why);
/* It failed because there is no room on the disk: what was there still is. */
bool mail_index_full(const struct mail_index *x);

#endif
