/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_ACCOUNT_SPECIAL_H
#define LIB_STORE_MAIL_ACCOUNT_SPECIAL_H

/*
 * The folders with a special use that an account is to have. For each use,
 * once in an account's life: a folder that is marked already; else one that
 * is there under the configured name, or under a name that clients and other
 * servers give it, in several languages, at the top or below INBOX, is
 * marked; else the configured one is made, subscribed and marked. What the
 * user removes or unmarks later does not come back.
 */

#include "lib/store/mail_account.h"

struct mail_tree;

enum mail_result mail_account_adopt(struct mail_tree *t,
    const struct special_folder *wanted, struct why *why);
/* Is it a usual name for a folder of this use? */
bool mail_account_usual_name(struct span name, unsigned int use);

#endif
