/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_SPECIAL_FOLDERS_H
#define LIB_STORE_SPECIAL_FOLDERS_H

/*
 * What mail_special_folders says: "Sent Items:Sent, Trash:Trash", names with
 * one special use (RFC 6154) each. Pure.
 */

#include "lib/base/why.h"
#include "lib/store/mail_account.h"

enum { SPECIAL_FOLDERS_MAX = 32 };

/*
 * The last of "out" has no name. The names are the caller's, for as long as
 * its process lives. False with *why.
 */
bool special_folders_parse(const char *text,
    struct special_folder out[SPECIAL_FOLDERS_MAX + 1], struct why *why);
/* Frees the names. */
void special_folders_fini(struct special_folder *folders);

#endif
