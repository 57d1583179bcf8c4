/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_APPEND_H
#define LIB_STORE_MAIL_APPEND_H

/*
 * What bringing messages into folders by append and by copy share; for
 * lib/store.
 */

#include "lib/store/mailbox_internal.h"

enum { MAIL_BASE_MAX = 160 };

/*
 * "1700000000.M123456P99Q7.host": a base name that nobody ever had, neither
 * this host's processes nor, by the host's name, another's.
 */
void mail_append_base(char out[MAIL_BASE_MAX]);
/*
 * ",S=...,W=..." behind it, then ",U=" and the flags as mailboxes write them.
 * False: does not fit.
 */
bool mail_append_file_name(const char *base, uint64_t stored, uint64_t size,
    uint32_t uid, uint32_t flags, uint64_t keywords,
    char out[MAILDIR_FILE_MAX]);
/* Files in tmp of processes that are long dead go (36 hours). */
void mail_append_sweep(int directory);
/* Keywords that file names have no letters for, of a message that arrived. */
enum mail_result mail_append_keywords(struct mailbox *to, uint64_t keywords,
    uint32_t uid, struct why *why);

#endif
