/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_CHANGING_H
#define IMAPD_CHANGING_H

/*
 * The commands that change messages: rows of verbs.def. What they have in
 * common: nothing is told before it is durable (imap_send settles), messages
 * that went meanwhile are passed over quietly, and whatever goes wrong, the
 * literals of the command are taken off the connection.
 */

#include "imapd/session.h"

void imap_store(struct imap_session *s, const struct imap_command *c);
/* Also UID EXPUNGE (RFC 4315). */
void imap_expunge(struct imap_session *s, const struct imap_command *c);
void imap_copy(struct imap_session *s, const struct imap_command *c);
void imap_move(struct imap_session *s, const struct imap_command *c);
void imap_append(struct imap_session *s, const struct imap_command *c);
/* RFC 8508 */
void imap_replace(struct imap_session *s, const struct imap_command *c);

/*
 * Tells what was removed, then answers OK: with HIGHESTMODSEQ where the client
 * keeps its mailbox by that (RFC 7162 sections 3.2.6 to 3.2.8).
 */
void changing_removed(struct imap_session *s, const struct imap_command *c,
    const char *text);
/*
 * The mailbox that a command adds to, and the user's rights to it. Answers NO
 * by itself when it is NULL: with TRYCREATE where it does not exist. To be
 * closed.
 */
struct mailbox *changing_target(struct imap_session *s,
    const struct imap_command *c, struct span name, unsigned int *rights);
/*
 * Has the user these rights to the selected mailbox, which is not open
 * read-only? False: NO was answered.
 */
bool changing_permitted(struct imap_session *s, const struct imap_command *c,
    unsigned int rights);

/*
 * Commands on many messages do so many at a time. The first ones of a set are
 * moved to "part".
 */
enum { CHANGING_AT_ONCE = 16384 };
void changing_part(struct uid_set *all, struct uid_set *part);

#endif
