/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_FOLDER_H
#define LIB_STORE_MBOX_FOLDER_H

/*
 * A folder that is an mbox file, behind struct mailbox_kind; for lib/store.
 *
 * The file is the record: messages, and in header fields of theirs UIDs,
 * flags, keywords (mbox_notes.h). The state file has what remains when all
 * messages are gone, or another program has removed the one that had it:
 * UIDVALIDITY, a bound for UIDs. doc/STORE.md.
 *
 * Whatever is changed is changed under the locks of other mail programs, with
 * the file taken up as it is then; the index's write transaction is opened
 * when they are held, because waiting for them may take long. A row's name
 * says where the message is.
 */

#include "lib/store/mailbox_kind.h"
#include "lib/store/mbox_notes.h"
#include "lib/store/mbox_store.h"

struct mbox_folder {
	struct mbox_access *access;
	struct mbox_access own; /* of a file in the account's tree */
	int dot_lock; /* of that */
	int fd; /* of the file when it was locked last; -1: there is none */
	bool busy; /* some task has the locks, or waits for them */
	bool known; /* the index was compared with it since it was opened */
	/* the message that was read last: readers come for it in parts */
	uint32_t text_uid;
	int text;
	int64_t text_length;
};

const struct mailbox_kind *mailbox_kind_mbox(void);

/* ---- mbox_folder.c ---- */

enum { MBOX_WAIT_MS = 10000 };

/*
 * The locks, with f->mbox->fd the file as it is now, repaired if a crash made
 * that necessary. Waits in a task, up to "wait_ms", for other programs and for
 * other tasks, then it is MAIL_IN_USE. No transaction may be open if it is to
 * wait.
 */
enum mail_result
mbox_folder_lock(struct mailbox *m, int64_t wait_ms, struct why *why);
void mbox_folder_unlock(struct mailbox *m);
/* Makes the file if there is none; locked. */
enum mail_result mbox_folder_create(struct mailbox *m, struct why *why);

/* Into the folder's row: the file as it is now; as it was then? */
void mbox_folder_note(struct mailbox_folder *f);
bool mbox_folder_unchanged(struct mailbox_folder *f);
/* How large it is; -1: there is none. */
int64_t mbox_folder_size_now(const struct mailbox_folder *f);

/*
 * What a row's name says: places, digest; read back without sizes, date and
 * what the notes say.
 */
enum { MBOX_ROW_MAX = 160 };

void mbox_row_write(const struct mbox_message *m, char out[MBOX_ROW_MAX]);
bool mbox_row_read(struct span name, struct mbox_message *out);

/* ---- mbox_take_up.c ---- */

/*
 * Locked, in a transaction: rows become what the file has from "from" on,
 * where a message begins (0: all). UIDs from "given" on may be in messages
 * that have no row. What lacks a UID gets one, which is in the file, durable,
 * when it returns.
 */
enum mail_result
mbox_take_up(struct mailbox *m, int64_t from, uint32_t given, struct why *why);
/*
 * Locks, begins a transaction, and takes up what has changed. After it
 * mbox_leave, which commits unless "r" is a failure, and unlocks; its result
 * is r, or the commit's. Where mbox_enter fails there is nothing to leave.
 */
enum mail_result mbox_enter(struct mailbox *m, struct why *why);
enum mail_result
mbox_leave(struct mailbox *m, enum mail_result r, struct why *why);

/* ---- mbox_proof.c ---- */

/*
 * Is the message of that row where the row says, as it was then: all of it,
 * or, with less to read, its header's beginning and notes? Locked. Else all is
 * to be taken up, and the row read again.
 */
bool mbox_message_there(struct mailbox *m, uint32_t uid,
    const struct mbox_message *at);
bool mbox_notes_there(struct mailbox *m, uint32_t uid,
    const struct mbox_message *at);
/* It is not, although all was taken up: a failure. */
enum mail_result mbox_moved_again(struct mailbox *m, struct why *why);

/* ---- mbox_changes.c ---- */

/*
 * Changes of a file that is locked: notes that fit are written in place at
 * once, all else with mbox_changes_make, together.
 */
struct mbox_changes;

struct mbox_changes *mbox_changes_new(struct mailbox *m);
void mbox_changes_free(struct mbox_changes **c);
/*
 * The message there gets these notes. *placed: it is done, and nothing has
 * moved. The first message of the file has those of the folder as well.
 */
enum mail_result mbox_changes_note(struct mbox_changes *c,
    const struct mbox_message *at, uint32_t uid, unsigned int note_flags,
    uint64_t keywords, bool *placed, struct why *why);
/* In the order of their places. */
void mbox_changes_remove(struct mbox_changes *c, const struct mbox_message *at);
/* Behind all others, at the file's end: a text, and bytes of a file. */
void mbox_changes_append(struct mbox_changes *c, struct span text, int fd,
    int64_t at, int64_t n);
/*
 * The folder's notes: UIDVALIDITY, the highest UID given, keywords, as the row
 * has them now, where the file says otherwise. Before mbox_changes_make.
 */
enum mail_result mbox_changes_base(struct mbox_changes *c, struct why *why);
/*
 * Durable when it returns. *from: where the first message that moved is;
 * INT64_MAX: none did.
 */
enum mail_result
mbox_changes_make(struct mbox_changes *c, int64_t *from, struct why *why);

/* Their names, with blanks in between. */
void
mbox_changes_keywords(struct mailbox *m, uint64_t keywords, struct buf *out);

/* A message's header alone, of the one that begins there. */
struct mbox_header {
	struct arena *names;
	struct mbox_scan *scan;
	struct mbox_message m; /* what its header tells */
};

/* 0, or -1 with errno: no message begins there. */
int mbox_header_read(int file, int64_t start, struct mbox_header *out);
void mbox_header_fini(struct mbox_header *h);

/* ---- the kind's functions ---- */

enum mail_result mbox_folder_sync(struct mailbox *m, struct why *why);
enum mail_result mbox_folder_load(struct mailbox *m, struct why *why);
enum mail_result mbox_flags_change(struct mailbox *m,
    const struct uid_set *uids, const struct flag_change *change,
    uint64_t *modseq, struct uid_set *failed, struct why *why);
enum mail_result mbox_flags_expunge(struct mailbox *m,
    const struct uid_set *uids, struct uid_set *removed, struct why *why);
struct mail_append *mbox_append_new(struct mailbox *to);
void mbox_append_free(struct mail_append **a);
enum mail_result mbox_append_begin(struct mail_append *a,
    const struct mail_append_message *m, uint64_t size, struct why *why);
enum mail_result mbox_append_write(struct mail_append *a, const void *data,
    size_t n, struct why *why);
enum mail_result mbox_append_commit(struct mail_append *a,
    uint32_t *uidvalidity, struct uid_set *uids, struct why *why);

#endif
