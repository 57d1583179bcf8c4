/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_NOTIFY_H
#define IMAPD_NOTIFY_H

/*
 * NOTIFY (RFC 5465): news of many mailboxes, at any time, without a question.
 *
 * Messages: every mailbox that was asked for is open and watched; a change is
 * a STATUS. The selected one is told as ever, where it was asked for. Names,
 * subscriptions and metadata: what other connections of this user do is told
 * at once, what other programs do to the tree within a second, and within
 * three where the tree cannot be watched (LAYOUT=fs).
 *
 * Between commands nothing is told but what was asked for. Answers to commands
 * tell of the selected mailbox as they do without NOTIFY: its numbers must not
 * be out of step longer than the client itself allows.
 */

#include "imapd/session.h"

imap_command_function notify_command;
struct notify_watched;

/* From the core, where s->notify is not NULL. */
/* Something changed somewhere, or it is time: tells. */
void notify_wake(struct imap_session *s);
/* Before a command that changes the tree: what others did until now. */
void notify_before(struct imap_session *s, const struct imap_verb *verb);
/* After a command: what it did itself is no news. */
void notify_after(struct imap_session *s, const struct imap_verb *verb);
/* When to wake although nothing was seen to change; clock_ms. */
int64_t notify_wake_at(const struct imap_session *s);
/* Flag changes of the selected mailbox, between commands? */
bool notify_wants_flags(const struct imap_session *s);
void notify_free(struct imap_session *s);

/*
 * Parking. The request as text; false: the session cannot be parked with it
 * (now): it is too long or wants more to be watched than can be, a tree that
 * cannot be watched, or metadata, of whose changes nothing is left to be seen.
 */
bool notify_text(const struct imap_session *s, struct span *text);
/* What was told of other mailboxes (parked_told.h). False: too long. */
bool notify_told(const struct imap_session *s, struct buf *out);
/* Are changes of the selected mailbox told outside of IDLE? */
bool notify_wants_selected(const struct imap_session *s);
/* Are there others, and is the tree to be watched? */
bool notify_wants_others(const struct imap_session *s);
/* Those others that are watched; the first time *at is NULL, NULL at the end.
 */
struct mailbox *
notify_watched(const struct imap_session *s, const struct notify_watched **at);
/* Behind the mailbox; then notify_wake. False: these are no such texts. */
bool notify_again(struct imap_session *s, struct span text, struct span told);

/* From commands: this user's other connections may want to know. */
void notify_tree_changed(struct imap_session *s);
void notify_renamed(struct imap_session *s, const char *from, const char *to);
/* "entries": names with blanks between; "folder" "": the server's. */
void notify_metadata(struct imap_session *s, const char *folder,
    const char *entries);

#endif
