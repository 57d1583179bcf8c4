/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_FOLDERS_H
#define IMAPD_FOLDERS_H

/*
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 and RFC 9051
 * section 6.3, RFC 6154 section 3, RFC 8474 section 4.1).
 */

#include "imapd/session.h"

imap_command_function create_command, delete_command, rename_command,
    subscribe_command, unsubscribe_command;

#endif
