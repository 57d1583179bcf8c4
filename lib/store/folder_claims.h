/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_FOLDER_CLAIMS_H
#define LIB_STORE_FOLDER_CLAIMS_H

/*
 * Which folder of an account was last seen to say that a MAILBOXID is its own.
 * Where to look first, no more: it may say something else by now.
 */

#include "lib/store/mail_index.h"

struct folder_claims;

enum { FOLDER_CLAIMS_MAX = 65536 }; /* more are not remembered */

/* *c starts NULL; its owner's to free. */
void folder_claims_note(struct folder_claims **c,
    const unsigned char id[MAIL_INDEX_ID], const char *name);
/* NULL: not known. Until the next note. */
const char *folder_claims_name(const struct folder_claims *c,
    const unsigned char id[MAIL_INDEX_ID]);
void folder_claims_free(struct folder_claims **c);

#endif
