/* SPDX-License-Identifier: ISC */
#ifndef SMTP_DELIVERY_H
#define SMTP_DELIVERY_H

/*
 * One request of qmgr on its way: who is still to be served, what was last
 * said about each, and the answers to qmgr. Each recipient is answered once,
 * when it is known for good: a refusal for now counts only when no other
 * host is left to try.
 */

#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/ipc/proto_deliver.h"
#include "smtp/generic.h"
#include "smtp/peer.h"

struct delivery_recipient {
	const struct msg_deliver_recipient *to;
	bool done; /* answered */
	bool accepted; /* by RCPT TO in this transaction */
	enum verdict verdict; /* of the last attempt, while not done */
	struct why why;
	char reply[PEER_REPLY_TEXT]; /* the server's words, or "" */
	char relay[WHY_MTA_MAX + ADDRESS_TEXT_MAX + 12];
};

struct delivery {
	struct arena *arena;
	struct ipc *qmgr;
	const struct msg_deliver *request;
	struct generic *generic; /* NULL: addresses go as they are */
	struct delivery_recipient *recipients;
	size_t count;
	size_t pending; /* not answered */
	bool own_mx; /* we are an MX host of where it goes */
	int64_t began; /* microseconds since 1970 */
	int64_t connected;
};

/* Answers and logs. "peer" may be NULL. "reply": the server's words. */
void delivery_finish(struct delivery *d, struct delivery_recipient *r,
    const struct peer *peer, enum verdict v, const struct why *why,
    const char *reply);
/* Remembers why this attempt came to nothing; for all that are pending. */
void delivery_note(struct delivery *d, struct delivery_recipient *r,
    const struct peer *peer, enum verdict v, const struct why *why,
    const char *reply);
void delivery_note_all(struct delivery *d, const struct peer *peer,
    enum verdict v, const struct why *why, const char *reply);
/* The same for good. */
void delivery_finish_all(struct delivery *d, const struct peer *peer,
    enum verdict v, const struct why *why, const char *reply);
/* No other host is left: what was noted is the answer. */
void delivery_give_up(struct delivery *d);

#endif
