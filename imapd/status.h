/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_STATUS_H
#define IMAPD_STATUS_H

/*
 * STATUS (RFC 9051 section 6.3.11), and its items where other commands ask
 * for them: LIST RETURN (STATUS ...), NOTIFY.
 */

#include "imapd/session.h"

imap_command_function status_command;

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

#endif
