/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_STATUS_H
#define IMAPD_STATUS_H

/*
 * STATUS (RFC 9051 section 6.3.11), and its items where other commands ask
 * for them: LIST RETURN (STATUS ...), NOTIFY.
 */

#include "imapd/session.h"

imap_command_function status_command;

enum status_item {
	STATUS_MESSAGES = 1 << 0,
	STATUS_RECENT = 1 << 1,
	STATUS_UIDNEXT = 1 << 2,
	STATUS_UIDVALIDITY = 1 << 3,
	STATUS_UNSEEN = 1 << 4,
	STATUS_DELETED = 1 << 5,
	STATUS_ALL_SIZE = 1 << 6, /* SIZE */
	STATUS_HIGHESTMODSEQ = 1 << 7,
	STATUS_MAILBOXID = 1 << 8,
	STATUS_APPENDLIMIT = 1 << 9,
	STATUS_DELETED_STORAGE = 1 << 10,
};

/*
 * "(MESSAGES UIDNEXT)" as a set of bits, never 0. False for what is no such
 * list: nothing was answered yet. Using HIGHESTMODSEQ enables CONDSTORE (RFC
 * 7162 section 3.1).
 */
bool status_items(struct imap_session *s, const struct imap_arg *a,
    unsigned int *items);
/*
 * "* STATUS name (...)" and its CRLF to "out"; nothing where it fails. Looks
 * at the disk first.
 */
enum mail_result status_write(struct imap_session *s, struct span name,
    unsigned int items, struct buf *out, struct why *why);
/* The same of a mailbox that is open, as it is known now. */
enum mail_result status_write_open(struct imap_session *s, struct mailbox *m,
    unsigned int items, struct buf *out, struct why *why);

#endif
