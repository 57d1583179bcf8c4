/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILBOX_KIND_H
#define LIB_STORE_MAILBOX_KIND_H

/*
 * What a kind of mail on disk does for mailbox.h; for lib/store only. All
 * folders of an account are of one kind: Maildirs, or mbox files. What is
 * above this table knows neither names of files nor places in them: rows of
 * the index, UIDs, counters, modification sequences, history, transactions,
 * keywords, views are the same for all.
 */

#include "lib/store/mailbox_internal.h"

struct mailbox_kind {
	/*
	 * A folder's files; "directory" is that of its state file, and taken
	 * over also when it fails. The state file is not read yet.
	 */
	enum mail_result (
	    *open)(struct mailbox_folder *f, int directory, struct why *why);
	void (*close)(struct mailbox_folder *f);
	/*
	 * What tells whether others have changed it, to be compared with
	 * row.cur. 0, or -1 with errno.
	 */
	int (*stamp)(struct mailbox_folder *f, struct mail_stamp *out);
	/* What was changed and is not flushed yet. 0, or -1 with errno. */
	int (*flush)(struct mailbox_folder *f);
	/* mailbox_points; may leave out what rights have to do with. */
	size_t (*points)(struct mailbox_folder *f, bool rights,
	    struct mailbox_point out[MAILBOX_POINTS]);

	/* mailbox_sync, and mailbox_load for a folder without rows. */
	enum mail_result (*sync)(struct mailbox *m, struct why *why);
	enum mail_result (*load)(struct mailbox *m, struct why *why);
	/* Fields of the row that its "have" lacks; noted in the index. */
	enum mail_result (*learn)(struct mailbox *m,
	    struct mail_index_message *row, uint32_t lacks, struct why *why);

	/* As in mailbox.h. */
	enum mail_result (*fetch)(struct mailbox *m, uint32_t uid,
	    struct store_blob *out, struct why *why);
	/* mailbox_fetch_start; NULL: by fetch. */
	enum mail_result (*start)(struct mailbox *m, uint32_t uid,
	    struct store_blob *out, char *to, size_t room, struct span *text,
	    struct why *why);
	enum mail_result (*change_flags)(struct mailbox *m,
	    const struct uid_set *uids, const struct flag_change *change,
	    uint64_t *modseq, struct uid_set *failed, struct why *why);
	enum mail_result (*expunge)(struct mailbox *m,
	    const struct uid_set *uids, struct uid_set *removed,
	    struct why *why);
	/* "from" and "to" are of one account. */
	enum mail_result (*copy)(struct mailbox *from,
	    const struct uid_set *uids, struct mailbox *to,
	    const struct mail_copying *how, struct mail_copies *out,
	    struct why *why);

	/* A kind's own begins with struct mail_append_base. */
	struct mail_append *(*append_new)(struct mailbox *to);
	void (*append_free)(struct mail_append **a);
	enum mail_result (*append_begin)(struct mail_append *a,
	    const struct mail_append_message *m, uint64_t size,
	    struct why *why);
	enum mail_result (*append_write)(struct mail_append *a,
	    const void *data, size_t n, struct why *why);
	enum mail_result (*append_commit)(struct mail_append *a,
	    uint32_t *uidvalidity, struct uid_set *uids, struct why *why);
};

struct mail_append_base {
	struct mailbox *to;
};

const struct mailbox_kind *mailbox_kind_maildir(void);

/* ---- of Maildirs, in the files that are named so ---- */

size_t mailbox_points_maildir(struct mailbox_folder *f, bool rights,
    struct mailbox_point out[MAILBOX_POINTS]);
enum mail_result mailbox_sync_maildir(struct mailbox *m, struct why *why);
enum mail_result mailbox_load_maildir(struct mailbox *m, struct why *why);
enum mail_result mailbox_message_learn(struct mailbox *m,
    struct mail_index_message *row, uint32_t lacks, struct why *why);
enum mail_result mailbox_message_open(struct mailbox *m, uint32_t uid,
    struct store_blob *out, struct why *why);
enum mail_result
mailbox_message_start(struct mailbox *m, uint32_t uid, struct store_blob *out,
    char *to, size_t room, struct span *text, struct why *why);
enum mail_result mailbox_flags_change(struct mailbox *m,
    const struct uid_set *uids, const struct flag_change *change,
    uint64_t *modseq, struct uid_set *failed, struct why *why);
enum mail_result mailbox_flags_expunge(struct mailbox *m,
    const struct uid_set *uids, struct uid_set *removed, struct why *why);
enum mail_result mailbox_copy_files(struct mailbox *from,
    const struct uid_set *uids, struct mailbox *to,
    const struct mail_copying *how, struct mail_copies *out, struct why *why);
struct mail_append *mail_append_files_new(struct mailbox *to);
void mail_append_files_free(struct mail_append **a);
enum mail_result mail_append_files_begin(struct mail_append *a,
    const struct mail_append_message *m, uint64_t size, struct why *why);
enum mail_result mail_append_files_write(struct mail_append *a,
    const void *data, size_t n, struct why *why);
enum mail_result mail_append_files_commit(struct mail_append *a,
    uint32_t *uidvalidity, struct uid_set *uids, struct why *why);

#endif
