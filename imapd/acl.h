/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_ACL_H
#define IMAPD_ACL_H

/*
 * GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS (RFC 4314).
 *
 * A process serves one account, with the rights of its owner and no others.
 * So the owner has all rights to all folders, which cannot be taken from him,
 * and nobody else sees any of them: lists for others are kept for other
 * servers of the same tree, and for the time when mailboxes can be shared.
 */

#include "imapd/session.h"

imap_command_function getacl_command, setacl_command, deleteacl_command,
    listrights_command, myrights_command;

/* "* MYRIGHTS name lrs" and CRLF. */
void
acl_write_my_rights(struct imap_session *s, const char *name, struct buf *out);

#endif
