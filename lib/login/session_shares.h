/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOGIN_SESSION_SHARES_H
#define LIB_LOGIN_SESSION_SHARES_H

/*
 * Who may see something of whose mail, as the session stage's parent knows it:
 * for each user a directory in data_directory/imap-shares, and in it a file
 * for each account that shares something with that user. root alone writes it.
 *
 * It opens doors, and no more: an entry means that the user's process is given
 * the other account's directory. What the user may do there is in the lists of
 * rights beside the mail. An entry too many is a directory that is opened in
 * vain.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SESSION_SHARES_MAX = 100 }; /* accounts that one user is let into */

/* An account that shares; its texts are behind it. */
struct session_share {
	const char *user, *mail;
	uint64_t uid, gid;
	uint64_t quota_bytes, quota_messages;
};

/* In the parent, before all else; fatal() where that cannot be had. */
void session_shares_setup(const char *data_directory);

/*
 * Those that share with this user, sorted by name, as auth-session knows them;
 * to be freed as one. NULL, *count 0: nobody. Asks auth-session about accounts
 * that it was not asked about within a minute.
 */
struct session_share *session_shares_of(const char *user, size_t *count);

/*
 * "owner" shares with "grantee" now, or does no more. True: that is new, and
 * processes of that user do not know of it. Nothing is kept of who has no
 * account, or is not known to have one by the deadline.
 */
bool session_shares_set(const char *owner, const char *grantee, bool on,
    int64_t deadline);
/* Does "owner" share with "user"? */
bool session_shares_has(const char *owner, const char *user);

/* A user's name as a file's. False: it cannot be one. */
bool session_share_name(const char *user, char *out, size_t n);

#endif
