/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_QUOTA_H
#define LIB_STORE_MAIL_QUOTA_H

/*
 * How much an account holds: "maildirsize" of Maildir++, as Courier and
 * Dovecot keep it too, in the account's root. Its first line is the limits
 * ("1000000S,500C"), each other one a change: bytes and messages. Whoever adds
 * or removes messages appends a line; who finds the file missing, of other
 * limits, long, or the account full by an old one counts anew. So asking is
 * reading one small file. Bytes are those of the files.
 *
 * It is a cache: nothing is flushed, and what other programs do without
 * telling is found when it is counted anew.
 */

#include "lib/store/mail_account.h"
#include "lib/store/maildir_size.h"

struct mail_tree;

/*
 * Usage of an account that is open; of "limits" only those count, 0 each for
 * none. Without any the usage is counted, not kept.
 */
enum mail_result mail_quota_use(struct mail_tree *t,
    const struct mail_quota *limits, struct mail_quota *out, struct why *why);
/* May this much be added? MAIL_OVER_QUOTA with *why. */
enum mail_result
mail_quota_ask(struct mail_tree *t, const struct mail_quota *limits,
    uint64_t bytes, uint64_t messages, struct why *why);
/*
 * Takes it in one step with the question for room (maildir_size.h): nobody else
 * gets it before it is settled. Without limits nothing is taken, and the claim
 * is what will be counted. To be asked before: where nobody counts there is
 * nothing to take from. Both within one transaction of the account's index,
 * and no question between a claim and the files that it is for: it might count
 * anew, without them.
 */
enum mail_result
mail_quota_take(int root, const struct mail_quota *limits, uint64_t bytes,
    uint64_t messages, struct maildir_claim *claim, struct why *why);
/*
 * The same for a location as mail_account_open takes it, with the rights of
 * the mailbox's owner: what is asked at RCPT. Where there is no account yet
 * it is empty.
 */
enum mail_result
mail_quota_check(const char *location, const struct mail_quota *limits,
    uint64_t bytes, uint64_t messages, struct why *why);
/* The same question, of what mail_quota_use told. */
bool mail_quota_allows(const struct mail_quota *q, uint64_t bytes,
    uint64_t messages);
/* So much changed that it is to be counted anew. */
void mail_quota_forget(int root);

#endif
