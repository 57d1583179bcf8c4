/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_BASIC_H
#define IMAPD_BASIC_H

/*
 * The commands of the session's frame: any state, and which mailbox is
 * selected.
 */

#include "imapd/session.h"

imap_command_function imap_capability, imap_noop, imap_logout, imap_id,
    imap_too_late, imap_enable, imap_select, imap_examine, imap_close,
    imap_unselect_command, imap_check, imap_idle, imap_compress;

/* An IDLE that was parked goes on. */
void imap_idle_again(struct imap_session *s, struct span tag);

#endif
