/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILBOX_INTERNAL_H
#define LIB_STORE_MAILBOX_INTERNAL_H

/*
 * Changing what is in a folder, for lib/store itself: sync, flags, expunge,
 * and those who bring messages in (append, copy).
 *
 * How a change is made:
 *
 *	mailbox_begin		the account's lock; m->folder->row is fresh
 *	mailbox_give_uids	durable before it returns
 *	rename, link, unlink	in m->folder->files, each told to
 *				mailbox_expect before
 *	mailbox_arrive, ...	rows, counters, history, in the transaction
 *	mailbox_commit		and then mail_account_settle flushes, unless
 *				it was flushed already
 *
 * Two folders of one account may be changed together: begin the one, begin
 * the other, commit both; all is one transaction.
 *
 * A process that dies in between leaves files that the next mailbox_sync
 * takes up: what has ",U=" of a UID that is not below uidnext of the index
 * and below the bound keeps it.
 */

#include <sys/types.h>

#include "lib/store/folder_state.h"
#include "lib/store/begun_flush.h"
#include "lib/store/mail_account_internal.h"
#include "lib/store/mailbox.h"
#include "lib/store/maildir_folder.h"
#include "lib/store/read_ahead.h"

/* A folder that is open, shared by its handles. */
struct mailbox_folder {
	struct mail_account *account;
	struct mailbox_folder *next;
	dev_t device; /* of its directory: by this it is known */
	ino_t inode;
	char *name; /* may be old when others renamed it: mailbox_follow */
	char *told; /* with the account's prefix, once it was asked for */
	unsigned int handles; /* 0: kept for the next */
	uint64_t closed; /* when, counted */
	bool deleted;
	bool lost; /* not found under its name: mailbox_follow */
	bool unflushed; /* renames in cur wait for mail_account_settle */
	bool unflushed_flags; /* and those that only changed flags */
	bool unflushed_state; /* lines of the state file do */
	struct begun_flush *begun; /* mailbox_flush_begin; or NULL */
	uint64_t begun_modseq; /* of all changes up to here; 0: of none */
	uint64_t flushed; /* changes up to here, by whomever */
	uint64_t known; /* up to here, or ours: "unflushed" say what waits */
	bool dirty; /* something happened: look at the disk */
	bool dirty_cur; /* in cur: its stamp may be ours, and old */
	bool unproven; /* stamps have to be compared, once */
	unsigned int writing; /* nested: row is of the open transaction */
	bool touched; /* cur was changed by us in it */
	bool own; /* and by nobody else, when it began */
	bool swept; /* tmp was looked through for what dead ones left */
	unsigned int watchers;
	int watch_cur, watch_new; /* of inotify(7), or -1 */
	bool unwatchable; /* there are no watches left */
	bool in_bulk; /* watch_cur is away: mailbox_bulk_begin */
	unsigned int foreign; /* changes of cur by others, as the watch saw */
	struct mailbox_names *names; /* files by base names; or NULL */
	unsigned int generation; /* of the index, when it was looked at last */
	struct maildir_folder files; /* of an mbox: dir is the state's */
	struct mbox_folder *mbox; /* mbox_folder.h; NULL: a Maildir */
	struct folder_state state;
	struct mail_stamp state_stamp; /* when it was read */
	struct mail_index_folder row; /* a copy; the index has it */
	uint32_t uidnext_before; /* this transaction */
	uint64_t modseq; /* of this transaction; 0: none yet */
	struct uid_set changed, removed, arrived; /* in this transaction */
	struct buf uidlist_lines; /* likewise */
	char *keywords[MAIL_KEYWORDS_MAX + 1];
	struct mail_stamp keywords_stamp;
	bool keywords_read;
	uint64_t keywords_named; /* those that had a name when it was read */
};

struct mailbox {
	struct mail_account *account;
	struct mailbox_folder *folder;
	unsigned int holds;
	bool watching;
	struct read_ahead *ahead; /* mailbox_read_ahead */
	struct read_ahead_work ahead_work;
	struct span ahead_made;
	uint32_t ahead_last; /* UID: up to here it was told */
	uint32_t ahead_next; /* UID that comes next if none is left out */
	unsigned int ahead_run; /* so many came so */
	bool ahead_refused;
};

enum mail_result mailbox_begin(struct mailbox *m, struct why *why);
enum mail_result mailbox_commit(struct mailbox *m, struct why *why);
/*
 * Of all folders of the account. What was renamed stays so; the next sync
 * finds it. *why is kept.
 */
void mailbox_abort(struct mailbox *m);
/* What was begun, without anything done: no folder is doubted. */
void mailbox_leave(struct mailbox *m);

/*
 * "n" new UIDs, the first of them; they are used up. The bound in the state
 * file is moved, durably, when they reach it.
 */
enum mail_result mailbox_give_uids(struct mailbox *m, uint32_t n,
    uint32_t *first, struct why *why);
/* One for all that this transaction changes in the folder. */
uint64_t mailbox_modseq(struct mailbox *m);
/* What one of our own changes of cur looks like to a watch. */
enum mailbox_event {
	EVENT_LEAVES, /* a rename: its old name */
	EVENT_COMES, /* and its new one */
	EVENT_MADE, /* a link, a new file */
	EVENT_REMOVED,
};

/* Before cur is changed: told apart from what others do. */
void
mailbox_expect(struct mailbox *m, enum mailbox_event what, const char *name);
/* The two of a rename. */
void mailbox_expect_rename(struct mailbox *m, const char *from, const char *to);
/*
 * Where is the file that is not where its row says? "name" is what it is not
 * called, and becomes what it is called. False with errno. One reading of the
 * directory serves all who ask until others change it again.
 */
bool mailbox_find_file(struct mailbox *m, struct span base,
    char name[MAILDIR_FILE_MAX], bool *in_new);

/*
 * A message whose file is in place; modseq is filled in. Also appends its
 * line to dovecot-uidlist, where there is one. In the order of UIDs.
 */
enum mail_result mailbox_arrive(struct mailbox *m,
    struct mail_index_message *message, struct why *why);
/* A message whose file is gone (unlinked, moved away). */
enum mail_result
mailbox_depart(struct mailbox *m, uint32_t uid, struct why *why);
/*
 * The index's read transaction, for rows of this folder: in an index that was
 * made anew it has another number, and its old one may be another's. So it is
 * looked at again first; where that cannot be, amid other work on the index,
 * the result is MAIL_FAILED, and not that nothing is there.
 */
enum mail_result mailbox_hold_rows(struct mailbox *m, struct why *why);
/* The message as the index has it; not before mailbox_begin or _hold_rows. */
enum mail_result mailbox_row(struct mailbox *m, uint32_t uid,
    struct mail_index_message *out, struct why *why);
/* Flags and keywords that a row gets, counted. */
enum mail_result
mailbox_reflag(struct mailbox *m, struct mail_index_message *message,
    uint32_t flags, uint64_t keywords, struct why *why);

/* ---- between mailbox*.c ---- */

/* MAIL_FAILED since a flush did, else MAIL_OK. */
enum mail_result
mailbox_refuse_failed(const struct mail_account *a, struct why *why);
/* There is no room for what others did: a line in the log, now and then. */
void mailbox_log_full(const struct mailbox *m, const struct why *why);
/* A line in the log: the folder's UIDVALIDITY is new, or another ("old"). */
void mailbox_validity_log(const struct mailbox_folder *f, uint32_t old,
    const char *why);
/* Of who fills a folder: MAIL_IN_USE when another process has it. */
enum mail_result
mailbox_load_lock(struct mailbox_folder *f, int *lock, struct why *why);
/*
 * Until it is free; outside of transactions. *deadline is 0 at first:
 * MAIL_IN_USE when that has come.
 */
enum mail_result
mailbox_load_wait(struct mailbox_folder *f, int64_t *deadline, struct why *why);
/*
 * All that this transaction renames is renamed: a flush of it begins. What
 * follows in it changes rows alone. False: there is none; the next
 * mail_account_settle flushes, as ever.
 */
bool mailbox_flush_begin(struct mailbox *m);
/* Into f->row, before it is put: how far all is on disk. */
void mailbox_flushed_note(struct mailbox_folder *f);
/* The same when the folder is closed. */
void mailbox_flushed_keep(struct mailbox_folder *f);
/*
 * The folder's name as it is now, where another process may have renamed it,
 * or its parents: finds it in the tree by its directory. One that is not there
 * any more is deleted.
 */
void mailbox_follow(struct mailbox *m);

/* mailbox_begin for a folder whose rows are not there yet. */
enum mail_result mailbox_begin_unloaded(struct mailbox *m, struct why *why);
/* Fills the rows of a folder from the disk; in a transaction. */
enum mail_result mailbox_load(struct mailbox *m, struct why *why);
enum mail_result mailbox_sizes(struct mailbox *m, uint64_t *all,
    uint64_t *deleted, struct why *why);
/* Is its number one of the index that is open now? */
bool mailbox_is_current(const struct mailbox *m);
/* The folder's row into f->row; *found false: it must be synced first. */
enum mail_result mailbox_look(struct mailbox *m, bool *found, struct why *why);
enum mail_result mailbox_index_failed(struct mailbox *m, struct why *why);
/* A directory or file could not be read or changed: errno says. */
enum mail_result mailbox_disk_failed(const char *what, struct why *why);
void mailbox_keywords_free(struct mailbox_folder *f);
/* Reads their names again when the file has changed. */
void mailbox_keywords_heed(struct mailbox *m);
/*
 * The same where messages have keywords that are not known: another process
 * made them, and all that it did else is in the index.
 */
void mailbox_keywords_heed_new(struct mailbox *m);
void mailbox_state_stamped(struct mailbox_folder *f);
/* Another process may have written the state file meanwhile. -1 with errno. */
int mailbox_state_heed(struct mailbox_folder *f);
/* Is there a watch, and has it seen nothing? */
bool mailbox_watch_quiet(struct mailbox *m);
/*
 * Watches it as long as it is open, also when nobody is to be told: what
 * others do while we change it is seen.
 */
void mailbox_guard(struct mailbox_folder *f);
void mailbox_unwatch(struct mailbox_folder *f);
/* That of cur alone; mailbox_guard brings it back. */
bool mailbox_unwatch_cur(struct mailbox_folder *f);
uint64_t mailbox_name_digest(struct span name, uint32_t seed);
/*
 * Around renames of most of cur, in a transaction, that mailbox_expect is not
 * told of. After _end changes by others are seen as if it had been watched all
 * the time, at the cost of one reading of cur. Each may be called twice.
 */
void mailbox_bulk_begin(struct mailbox_folder *f);
void mailbox_bulk_end(struct mailbox_folder *f);
/*
 * The same amid the renames, whose rows are not written: the folder is looked
 * at like one that others changed.
 */
void mailbox_bulk_break(struct mailbox_folder *f);
void mailbox_names_free(struct mailbox_folder *f);
/* What we have done so far to cur is known. */
void mailbox_own_stamp(struct mailbox_folder *f);
/* The disk is to be looked at, cur by its names. */
void mailbox_doubt(struct mailbox_folder *f);
void mailbox_watch_free(struct mail_account *a);

#endif
