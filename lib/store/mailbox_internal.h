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
 * A process that dies in between leaves files that the next mailbox_sync
 * takes up: what has ",U=" of a UID that is not below uidnext of the index
 * and below the bound keeps it.
 */

#include "lib/store/folder_state.h"
#include "lib/store/mail_account_internal.h"
#include "lib/store/mailbox.h"
#include "lib/store/maildir_folder.h"

/* A folder that is open, shared by its handles. */
struct mailbox_folder {
	struct mail_account *account;
	struct mailbox_folder *next;
	char *name;
	unsigned int handles;
	bool deleted;
	bool unflushed; /* renames in cur wait for mail_account_settle */
	bool unflushed_state; /* lines of the state file do */
	bool dirty; /* the watch saw something: look at the disk */
	bool writing; /* row is of the open write transaction */
	unsigned int watchers;
	int watch_cur, watch_new; /* of inotify(7), or -1 */
	struct maildir_folder files;
	struct folder_state state;
	struct mail_index_folder row; /* a copy; the index has it */
	struct mail_stamp cur_before; /* when the transaction began */
	char **keywords; /* NULL at the end; NULL: not read */
};

struct mailbox {
	struct mail_account *account;
	struct mailbox_folder *folder;
};

enum mail_result mailbox_begin(struct mailbox *m, struct why *why);
enum mail_result mailbox_commit(struct mailbox *m, struct why *why);
/* What was renamed stays so; the next sync finds it. Keeps errno, *why. */
void mailbox_abort(struct mailbox *m);

/*
 * "n" new UIDs, the first of them; they are used up. The bound in the state
 * file is moved, durably, when they reach it.
 */
enum mail_result mailbox_give_uids(struct mailbox *m, uint32_t n,
    uint32_t *first, struct why *why);
/* One for all that this transaction changes in the folder. */
uint64_t mailbox_modseq(struct mailbox *m);
/* Own changes are told apart from those of others by their names. */
void mailbox_expect(struct mailbox *m, const char *name);

/*
 * A message whose file is in place; modseq is filled in. Also appends its
 * line to dovecot-uidlist, where there is one. In the order of UIDs.
 */
enum mail_result mailbox_arrive(struct mailbox *m,
    struct mail_index_message *message, struct why *why);
/* A message whose file is gone (unlinked, moved away). */
enum mail_result
mailbox_depart(struct mailbox *m, uint32_t uid, struct why *why);
/* The message as the index has it; not before mailbox_begin or _hold. */
enum mail_result mailbox_row(struct mailbox *m, uint32_t uid,
    struct mail_index_message *out, struct why *why);

#endif
