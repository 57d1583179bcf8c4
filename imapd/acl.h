/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_ACL_H
#define IMAPD_ACL_H

/*
 * GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS (RFC 4314).
 *
 * The owner has all rights to all of his folders, which cannot be taken from
 * him; so have the owners of public trees (mail_public_owners). What others
 * have is in the lists, and judged in namespaces.c.
 */

#include "imapd/session.h"

imap_command_function getacl_command, setacl_command, deleteacl_command,
    listrights_command, myrights_command;

/* "* MYRIGHTS name lrs" and CRLF. */
void acl_write_my_rights(struct imap_session *s, const char *name,
    unsigned int rights, struct buf *out);

#endif
