/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_APPEND_H
#define IMAPD_APPEND_H

/*
 * New messages that a client brings: what APPEND and REPLACE share. Text goes
 * from the connection straight to the disk, in whatever pieces it comes; what
 * may hold NULs, being a literal8 or made of parts, goes there by a spool.
 */

#include "imapd/changing.h"
#include "lib/store/mail_spool.h"

enum { APPEND_LISTS = 2 }; /* "CATENATE (UTF8 (...))" */

struct appending {
	struct imap_session *s;
	const struct imap_command *c;
	struct mailbox *target;
	unsigned int rights; /* to it */
	struct mail_append *append;
	/*
	 * The next argument. Lists that hold a literal are left by IMAP_END
	 * (whole in the tree: then the last of "up" follows) or by IMAP_CLOSE.
	 */
	const struct imap_arg *at;
	const struct imap_arg *up[APPEND_LISTS];
	unsigned int depth;
	uint64_t size; /* of the present message so far */
	bool spooling, nul; /* it goes to the spool; there is one in it */
	struct mail_spool spool;
};

/*
 * All messages from "at" on, at most "most" (0: any number), into the mailbox
 * of that name, all or none. False: it was answered, or the connection ended;
 * nothing was added, and the rest of the command is taken off the connection.
 * A target that was opened is to be closed all the same.
 */
bool append_messages(struct appending *a, const struct imap_arg *name,
    const struct imap_arg *at, unsigned int most);
/* Durably: "APPENDUID 38505 3955" for the answer. False: it was answered. */
bool append_commit(struct appending *a, struct buf *code);
void append_fini(struct appending *a);
/* After a refusal: takes the rest of the command off the connection. */
void append_skip(struct appending *a);

/*
 * For what makes messages of parts. Each is false when it was answered.
 */
/* Bytes of the present message; too many are TOOBIG. */
bool append_bytes(struct appending *a, struct span bytes);
/*
 * The present message may come with NULs: it is kept aside until it is whole.
 * Then its binary parts, if it has such, enter the mailbox in base64.
 */
void append_spool(struct appending *a);
bool append_spooled(struct appending *a);
void append_spool_fini(struct appending *a);
/* Always false: answers. */
bool append_refuse(struct appending *a, enum mail_result result,
    const struct why *why);
/* The literal that is pending now; then "at" is behind it. */
bool append_literal(struct appending *a);
/* "UTF8 (~{n}": at is the list; then it is behind it. */
bool append_utf8(struct appending *a);
/* Always false. */
bool append_bad(struct appending *a, const char *text);
/* "CATENATE (...)": at is the list; then it is behind it. */
bool append_catenate(struct appending *a);
/* Into and out of a list. */
bool append_enter(struct appending *a);
bool append_leave(struct appending *a);

#endif
