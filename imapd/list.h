/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_LIST_H
#define IMAPD_LIST_H

/* LIST and LSUB (RFC 3501, RFC 5258, RFC 9051 section 6.3.9). */

#include "imapd/session.h"

imap_command_function list_command, lsub_command;

/*
 * "(\HasNoChildren \Sent) "/" name": attributes, separator and name of a
 * folder. "subscribed": that is told too. "extended": \NonExistent is known.
 */
void list_write_folder(struct imap_session *s, const struct mail_folder *f,
    bool subscribed, bool extended, struct buf *out);

/* "* LIST (...) "/" new ("OLDNAME" ("old"))" and CRLF. */
void list_write_old_name(struct imap_session *s, const struct mail_folder *f,
    const char *old, struct buf *out);

/* RFC 6154: its "\Sent", or NULL at the end. "i" counts from 0. */
const char *list_special_use(unsigned int i, unsigned int *bit);

#endif
