/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_QUOTA_H
#define IMAPD_QUOTA_H

/*
 * GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). An account has one root, for
 * all of its folders; what it may have is the administrator's to say.
 */

#include "imapd/session.h"

imap_command_function getquota_command, getquotaroot_command, setquota_command;

#endif
