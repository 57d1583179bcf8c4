/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_FLAG_ROWS_H
#define LIB_STORE_FLAG_ROWS_H

/*
 * The messages that a change of flags changes, whatever kind of mail on disk
 * they are in; for lib/store only. Rows are copied some at a time, as their
 * names are in the index, which the change writes to.
 */

#include "lib/store/mailbox_kind.h"
#include "lib/store/maildir_folder.h"

/* What mail_index_message's name may be long, with its NUL. */
enum { FLAG_ROW_NAME_MAX = MAILDIR_FILE_MAX };

/* Its row.name is "name", which ends with a NUL. */
struct flag_row {
	struct mail_index_message row;
	char name[FLAG_ROW_NAME_MAX];
};

struct flag_rows {
	struct mailbox *mailbox;
	const struct flag_change *how;
	/* those that have changed since how->unchanged_since; NULL: none */
	struct uid_set *failed;
	enum mail_result (
	    *change)(void *with, struct flag_row *row, struct why *why);
	/* After some, where more remain: "rest". NULL: nothing. */
	void (*more)(void *with, const struct uid_set *rest);
	void *with;
};

/*
 * Calls "change" for each of "uids" whose flags or keywords will be others, in
 * the order of UIDs, to the first that fails.
 */
enum mail_result flag_rows_change(const struct flag_rows *rows,
    const struct uid_set *uids, struct why *why);

/* What a message's flags and keywords are after the change. */
void flag_rows_after(const struct flag_change *how,
    const struct mail_index_message *row, uint32_t *flags, uint64_t *keywords);

#endif
