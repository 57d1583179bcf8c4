/* SPDX-License-Identifier: ISC */
#ifndef AUTH_TABLE_ACCOUNTS_H
#define AUTH_TABLE_ACCOUNTS_H

/*
 * Accounts in a lookup table (SQL, LDAP, or any other type): the key is the
 * name, the answer what account_text_parse() takes.
 *
 * One login asks for its account several times: an answer is kept for a second,
 * which is as fast as a change of a file counts. What cannot be had is never
 * kept, and never "no such account".
 */

#include "auth/passwd_file.h"
#include "lib/base/buf.h"

struct table_accounts;

/* NULL, with *error, for an unknown type or bad syntax. */
struct table_accounts *table_accounts_new(struct span spec, struct buf *error);
void table_accounts_free(struct table_accounts **t);
/* As passwd_file_find. */
enum passwd_result table_accounts_find(struct table_accounts *t,
    const char *name, const struct passwd_entry **entry);
/* As passwd_file_sample: of an account that was asked for. */
const char *table_accounts_sample(const struct table_accounts *t);

#endif
