/* SPDX-License-Identifier: ISC */
#ifndef POP3D_UNIQUE_IDS_H
#define POP3D_UNIQUE_IDS_H

/*
 * pop3_uidl_format, and the UIDs that it may want: those of IMAP, from the
 * same account. One for the process, which is one user's.
 */

#include "lib/service/service.h"
#include "lib/store/store.h"

/* In the parent; fatal where the setting is wrong. */
void unique_ids_setup(const struct service *s);
/* Is all of the account needed, and not only the INBOX? */
bool unique_ids_want_account(void);
/*
 * Gives UIDs to what has none, durably; "mail" is a Maildir that is there.
 * *out is NULL where ids are made of names. False with *why.
 */
bool unique_ids_take(const char *mail, const struct store_ids **out,
    struct why *why);
void unique_ids_end(void);

#endif
