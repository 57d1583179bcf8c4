/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILBOX_VIEW_H
#define LIB_STORE_MAILBOX_VIEW_H

/*
 * A mailbox as one client knows it: which UIDs have which message numbers, and
 * up to which modification sequence it has been told. It changes only when
 * the client is told (mailbox_view_update), whatever happens to the mailbox
 * meanwhile. Memory goes with the gaps between UIDs, not with the messages.
 */

#include "lib/store/mailbox.h"

struct mailbox_view {
	struct mailbox *mailbox; /* not owned */
	struct uid_set uids; /* the n-th member is message n */
	uint32_t uidnext; /* above all that were told */
	uint64_t modseq; /* told up to here */
	uint64_t removals; /* the same of expunges, which may have to wait */
	uint32_t first_recent;
};

/* As the mailbox is now. */
enum mail_result
mailbox_view_open(struct mailbox_view *v, struct mailbox *m, struct why *why);
/*
 * As it was when it had been told up to this modification sequence and
 * UIDNEXT: for a session that comes back. MAIL_GONE when the history does not
 * go back so far.
 */
enum mail_result mailbox_view_restore(struct mailbox_view *v, struct mailbox *m,
    uint64_t modseq, uint32_t uidnext, struct why *why);
void mailbox_view_fini(struct mailbox_view *v);

uint32_t mailbox_view_count(const struct mailbox_view *v);
/* 0: there is no such number, or UID. */
uint32_t mailbox_view_uid(const struct mailbox_view *v, uint32_t number);
uint32_t mailbox_view_number(const struct mailbox_view *v, uint32_t uid);
/* UIDs of message numbers; numbers there are not are left out. */
void mailbox_view_uids(const struct mailbox_view *v,
    const struct uid_set *numbers, struct uid_set *uids);

struct mailbox_update {
	struct uid_set expunged; /* UIDs; still in the view when "told" runs */
	struct uid_set changed; /* flags; known to the client already */
	struct uid_set arrived;
	uint64_t modseq; /* what all this is up to */
	uint32_t uidnext;
	bool expunges;
};

/*
 * What happened since the client was last told. With "expunges" false those
 * gone stay in the view, for later (RFC 9051 section 7.5.1). The caller tells
 * the client in the order expunged, then arrived (EXISTS), then changed;
 * mailbox_view_apply then makes the view so. Nothing may wait in between but
 * output.
 */
enum mail_result mailbox_view_update(struct mailbox_view *v, bool expunges,
    struct mailbox_update *out, struct why *why);
void mailbox_view_apply(struct mailbox_view *v, const struct mailbox_update *u);
void mailbox_update_fini(struct mailbox_update *u);

#endif
