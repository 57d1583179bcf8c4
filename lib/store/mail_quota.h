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

/* maildirsize as it is when a count begins: what is noted later is behind it.
 */
struct mail_quota_mark {
	int fd; /* read up to here; -1: there is none */
	/* somebody held the lock: lines may be in front of their messages */
	bool unsure;
	uint64_t device, inode;
};

/* Room of the quota, from taking it to what came of it. */
struct mail_room {
	struct maildir_claim claim;
	bool together; /* with others: who is refused is not the one to ask */
	bool ask; /* nothing is taken: mail_room_ask first */
	bool stale; /* there was room, and the file still says otherwise */
	unsigned int asked;
	struct mail_quota_mark mark;
};

#define MAIL_ROOM_INIT \
	{ \
		.claim = { .fd = -1 }, .mark = {.fd = -1 } \
	}

/*
 * Takes it in one step with the question for room (maildir_size.h), within the
 * transaction of the account's index in which the files come and the claim is
 * settled: so whoever begins to count within a transaction of his own finds the
 * files of all claims that are there.
 *
 * MAIL_OVER_QUOTA with "ask": the file, if there is one, says full, or nothing
 * that can be believed. To be asked is who may count all folders, behind the
 * end of the transaction; on MAIL_OK it is taken again, in another one. That
 * ends: after some questions the file is believed, and where there still is
 * none, or one that could not be replaced, everything is taken.
 */
enum mail_result
mail_room_take(struct mail_room *m, const struct mail_account *a,
    uint64_t bytes, uint64_t messages, struct why *why);
enum mail_result
mail_room_ask(struct mail_room *m, const struct mail_account *a, uint64_t bytes,
    uint64_t messages, struct why *why);
/* May be called again. */
void mail_room_end(struct mail_room *m);
/*
 * The same for a location as mail_account_open takes it, with the rights of
 * the mailbox's owner: what is asked at RCPT. Where there is no account yet
 * it is empty.
 */
struct mail_quota_question {
	struct mail_quota limits; /* without usage */
	uint64_t bytes, messages; /* that are to come */
	/*
	 * Called each 5 ms of a count, for others to run meanwhile, and to let
	 * at least so much time pass; the rights are had again when it returns.
	 * NULL: they wait. False: nobody wants to know any more, MAIL_FAILED.
	 */
	bool (*pause)(void *with, unsigned int ms);
	void *with;
};
enum mail_result mail_quota_check(const char *location,
    const struct mail_quota_question *q, struct why *why);
/* The same question, of what mail_quota_use told. */
bool mail_quota_allows(const struct mail_quota *q, uint64_t bytes,
    uint64_t messages);
/* So much changed that it is to be counted anew. */
void mail_quota_forget(int root);

#endif
