/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILBOX_STATE_H
#define LIB_STORE_MAILBOX_STATE_H

#include "lib/store/mailbox_internal.h"

/*
 * Reads the folder's state file; where there is none, or a damaged one, it is
 * made, under the account's lock: as the index knows it, as Dovecot's list
 * has it, or new. 0, or -1 with errno.
 */
int mailbox_state_read(struct mailbox_folder *f);
/*
 * In a write transaction: the state of a folder whose file is damaged, or gone,
 * as the index has it. Which of the index's folders it is follows from what
 * this process knew, from the MAILBOXID in the damaged file, from the names of
 * its files, or from the stamp of the directory where these do not speak
 * against it; it must be one that no other folder of the account says to be.
 * False: nothing is certain, or the index is older than the file was.
 */
bool mailbox_state_recover(struct mailbox_folder *f, bool damaged,
    struct folder_state *out);

#endif
